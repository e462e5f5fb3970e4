/**
 * Every endpoint below the base.
 */
import type { Controller } from '../../controller/contract.js';
import { batchEndpoint } from './batch.js';
import { collectionEndpoints } from './collections.js';
import type { Endpoint } from './endpoint.js';
import { FILTER_STATICS } from './filter-static.js';
import { describeApi } from './openapi.js';
import { ownedRowEndpoints } from './owned-rows.js';
import { reachabilityEndpoint } from './reachability.js';
import { relationEndpoints } from './relations.js';
import { statisticsEndpoints } from './statistics.js';
import { acceptSliceEndpoint, flowsEndpoint, statusEndpoint } from './status.js';
import { tracesEndpoint } from './traces.js';
import { TRANSLATION_STATICS } from './translation-static.js';
import { watchEndpoint, type WatchLimits } from './watch.js';

/** OpenVNet's base, and its alias. */
export const BASES = ['/api/1.0', '/api'] as const;

export function endpointsFor(controller: Controller, limits: WatchLimits): readonly Endpoint[] {
  const described = [
    ...collectionEndpoints(controller),
    ...relationEndpoints(controller),
    ...[FILTER_STATICS, TRANSLATION_STATICS].flatMap((rows) => ownedRowEndpoints(controller, rows)),
    ...statisticsEndpoints(controller),
    flowsEndpoint(controller),
    acceptSliceEndpoint(controller),
    batchEndpoint(controller),
    tracesEndpoint(controller),
    reachabilityEndpoint(controller),
    statusEndpoint(controller),
    watchEndpoint(controller, limits),
  ];
  return [...described, describeApi(described, () => controller.version)];
}
