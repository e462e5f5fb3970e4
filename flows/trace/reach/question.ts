/**
 * What is asked of reachability.
 *
 * Owns: sources, destinations and services, their ranges, and what is impossible about a service whatever the model is.
 */
import { z } from 'zod';
import type { Reason } from '../../model/errors.js';
import { UUID_TAIL } from '../../model/entities/fields.js';
import { hasPorts, TRACE_PROTOCOLS } from '../explain/question.js';

const UUID_MESSAGE = 'must be an interface if-…, {network_uuid} or {security_group_uuid}';
const uuid = (prefix: string, message = `must be ${prefix}- and 1 to 32 of a-z 0-9 -`) =>
  z.string().regex(new RegExp(`^${prefix}-${UUID_TAIL.source.slice(1)}`), message);

const MOST_NAMED = 100_000;

const endsInput = z
  .array(
    z.union([uuid('if', UUID_MESSAGE), z.strictObject({ network_uuid: uuid('nw') }), z.strictObject({ security_group_uuid: uuid('sg') })]),
  )
  .min(1)
  .max(MOST_NAMED);

export const reachServiceInput = z.strictObject({
  protocol: z.enum(TRACE_PROTOCOLS),
  port: z.int().min(1).max(65_535).optional(),
  icmp_type: z.int().min(0).max(255).optional(),
});

export const reachInput = z.strictObject({
  sources: endsInput.describe('Interfaces by uuid, all of a network `{network_uuid}`, or all of a group `{security_group_uuid}`.'),
  destinations: endsInput.describe('As `sources`.'),
  services: z
    .array(reachServiceInput)
    .min(1)
    .max(64)
    .describe('`{protocol, port}` for tcp, udp and sctp; `{protocol, icmp_type}` for icmp and icmpv6, an echo request without the type.'),
});

export type ReachQuestion = Readonly<z.output<typeof reachInput>>;
export type ReachEnd = ReachQuestion['sources'][number];
export type ReachService = ReachQuestion['services'][number];

/** What no packet can be. */
export function impossibleServices(services: readonly ReachService[]): Reason[] {
  return services.flatMap(({ protocol, port, icmp_type }, at): Reason[] => {
    const pointer = (field: string) => `/services/${at}/${field}`;
    if (hasPorts(protocol)) {
      const missing = port === undefined ? [{ pointer: pointer('port'), detail: `is missing: ${protocol} goes to a port` }] : [];
      const typed =
        icmp_type === undefined ? [] : [{ pointer: pointer('icmp_type'), detail: `${protocol} has none; only icmp and icmpv6 do` }];
      return [...missing, ...typed];
    }
    return port === undefined ? [] : [{ pointer: pointer('port'), detail: `${protocol} has no ports; only tcp, udp and sctp do` }];
  });
}
