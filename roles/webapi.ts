/**
 * `hotori webapi`: the REST API, reading from a replica of its own and asking some vnmgr for the rest.
 */
import { randomUUID } from 'node:crypto';
import type { Controller } from '../controller/contract.js';
import { systemClock, systemRandom } from '../controller/kernel/ambient.js';
import type { Metrics } from '../controller/kernel/metrics.js';
import { ReplicaController } from '../controller/replica-controller.js';
import { Replica } from '../controller/replica.js';
import { TraceService } from '../controller/trace/service.js';
import { ControlClient } from '../controller/services/control-client.js';
import { startWebServer, type WebServer } from '../webapi/rest/server.js';
import { measureBus, measureStore, newMetrics } from './metrics.js';
import { openRedis, openStore } from './redis.js';
import { DRAIN_MS, forRole, type RoleContext } from './role.js';

export async function startWebapiRole(process: RoleContext): Promise<void> {
  const context = forRole(process, 'webapi');
  const { logger, version, started } = context;
  const { connections, bus } = openRedis(context, 'webapi');
  const store = await openStore(context, connections);
  const replica = await Replica.open(store, (message, error) => logger.warn({ err: error }, message));
  started({ name: 'replica', stop: () => replica.close() });
  const calls = new ControlClient({ bus, replica, random: systemRandom, log: logger });
  const traces = new TraceService({
    replica,
    clock: systemClock,
    random: systemRandom,
    calls,
    options: { traceroute: context.config.traceroute },
  });
  const metrics = newMetrics(version);
  measureBus(metrics, bus);
  measureStore(metrics, store);
  const missing = () => (bus.isConnected ? [] : ['no connection to Redis']);
  const web = await startApi(context, new ReplicaController({ version, replica, calls, traces }), metrics, missing);
  logger.info({ api: web.address, revision: replica.revision().number }, 'hotori webapi is up');
}

/** @param missing what keeps the API from being of use. */
export async function startApi(
  { config, logger, started }: RoleContext,
  controller: Controller,
  metrics: Metrics,
  missing: () => readonly string[],
): Promise<WebServer> {
  const web = await startWebServer({
    controller,
    logger,
    newRequestId: randomUUID,
    listen: config.api,
    metrics,
    missing,
  });
  started({ name: 'webapi', stop: () => web.stop(DRAIN_MS / 2) });
  return web;
}
