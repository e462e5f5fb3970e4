/**
 * What a punted packet carries, so that whoever answers it needs no state of its own.
 *
 * Owns: the userdata of every `controller()` action, the meter of each kind of punt, the controller id of the punt connection.
 * Assumes: packet-ins also carry all non-zero registers (NXT_PACKET_IN2), reg1 among them: the port key of the sender.
 * Promises: encode and decode are inverse; unknown or foreign userdata decodes to undefined.
 */

/** NX_SET_CONTROLLER_ID of the punt connection; the programming connection keeps 0 and gets no packet-ins. */
export const PUNT_CONTROLLER_ID = 1;

export const PUNT_KINDS = {
  dhcpv4: { code: 1, meter: 1, packetsPerSecond: 500 },
  router_solicit: { code: 2, meter: 2, packetsPerSecond: 500 },
  time_exceeded: { code: 3, meter: 3, packetsPerSecond: 1000 },
  port_unreachable: { code: 4, meter: 4, packetsPerSecond: 500 },
  too_big: { code: 10, meter: 10, packetsPerSecond: 500 },
  log_allowed: { code: 13, meter: 13, packetsPerSecond: 1000 },
  log_denied: { code: 14, meter: 14, packetsPerSecond: 1000 },
  reject: { code: 15, meter: 15, packetsPerSecond: 1000 },
} as const;

export type PuntKind = keyof typeof PUNT_KINDS;

export type Punt =
  | { readonly kind: 'dhcpv4' | 'router_solicit' }
  /** Longer than the overlay carries: how much that is, and the router it is in, is in registers. */
  | { readonly kind: 'too_big' }
  | PolicyPunt
  | {
      readonly kind: 'time_exceeded' | 'port_unreachable';
      /** Address the ICMP error comes from: 4 or 16 bytes. */
      readonly source: Uint8Array;
      /** TTL of the answer: 255 less the hops it would have crossed. */
      readonly ttl: number;
    };

/** A packet that a security group rule has decided on; which one is in the registers. */
export interface PolicyPunt {
  readonly kind: 'log_allowed' | 'log_denied' | 'reject';
  readonly direction: 'egress' | 'ingress';
  /** Whether the rule asks for a line in the log. */
  readonly log: boolean;
}

const MAGIC = 0x48;
const LAYOUT = 1;
const HEADER = 4;

const INGRESS = 1;
const LOG = 2;

/** `[magic, layout, kind, ttl, source…]`; of a policy punt, flags in place of the TTL. */
export function encodePunt(punt: Punt): Uint8Array {
  const source = 'source' in punt ? punt.source : new Uint8Array(0);
  const bytes = new Uint8Array(HEADER + source.length);
  bytes[0] = MAGIC;
  bytes[1] = LAYOUT;
  bytes[2] = PUNT_KINDS[punt.kind].code;
  bytes[3] = 'ttl' in punt ? punt.ttl : 'direction' in punt ? (punt.direction === 'ingress' ? INGRESS : 0) | (punt.log ? LOG : 0) : 0;
  bytes.set(source, HEADER);
  return bytes;
}

export function decodePunt(bytes: Uint8Array): Punt | undefined {
  if (bytes.length < HEADER || bytes[0] !== MAGIC || bytes[1] !== LAYOUT) return undefined;
  const source = bytes.subarray(HEADER);
  const policy = (kind: PolicyPunt['kind']): PolicyPunt => ({
    kind,
    direction: (bytes[3]! & INGRESS) === 0 ? 'egress' : 'ingress',
    log: (bytes[3]! & LOG) !== 0,
  });
  switch (bytes[2]) {
    case PUNT_KINDS.log_allowed.code:
      return policy('log_allowed');
    case PUNT_KINDS.log_denied.code:
      return policy('log_denied');
    case PUNT_KINDS.reject.code:
      return policy('reject');
    case PUNT_KINDS.dhcpv4.code:
      return { kind: 'dhcpv4' };
    case PUNT_KINDS.router_solicit.code:
      return { kind: 'router_solicit' };
    case PUNT_KINDS.too_big.code:
      return { kind: 'too_big' };
    case PUNT_KINDS.time_exceeded.code:
      return source.length === 4 || source.length === 16 ? { kind: 'time_exceeded', source, ttl: bytes[3] ?? 0 } : undefined;
    case PUNT_KINDS.port_unreachable.code:
      return source.length === 4 || source.length === 16 ? { kind: 'port_unreachable', source, ttl: bytes[3] ?? 0 } : undefined;
    default:
      return undefined;
  }
}
