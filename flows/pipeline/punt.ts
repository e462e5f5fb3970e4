/**
 * What a punted packet carries, so that whoever answers it needs no state of its own.
 *
 * Owns: the userdata of every `controller()` action, the meters, the controller id of the punt connection.
 * Assumes: packet-ins also carry all non-zero registers (NXT_PACKET_IN2): the port key of the sender, and for errors of routers the port by which the
 * packet came to the router that speaks, and how many routers it had crossed.
 * Promises: encode and decode are inverse; unknown or foreign userdata decodes to undefined.
 */

/** NX_SET_CONTROLLER_ID of the punt connection; the programming connection keeps 0 and gets no packet-ins. */
export const PUNT_CONTROLLER_ID = 1;

export const PUNT_KINDS = {
  dhcpv4: { code: 1, meter: 1, packetsPerSecond: 500 },
  router_solicit: { code: 2, meter: 2, packetsPerSecond: 500 },
  time_exceeded: { code: 3, meter: 3, packetsPerSecond: 1000 },
  port_unreachable: { code: 4, meter: 4, packetsPerSecond: 500 },
  net_unreachable: { code: 5, meter: 5, packetsPerSecond: 500 },
  host_unreachable: { code: 6, meter: 6, packetsPerSecond: 500 },
  prohibited: { code: 7, meter: 7, packetsPerSecond: 500 },
  protocol_unreachable: { code: 8, meter: 8, packetsPerSecond: 500 },
  too_big: { code: 10, meter: 10, packetsPerSecond: 500 },
  log_allowed: { code: 13, meter: 13, packetsPerSecond: 1000 },
  log_denied: { code: 14, meter: 14, packetsPerSecond: 1000 },
  reject: { code: 15, meter: 15, packetsPerSecond: 1000 },
  way_probe: { code: 22, meter: 22, packetsPerSecond: 1000 },
  beyond_scope: { code: 19, meter: 19, packetsPerSecond: 500 },
  neighbor: { code: 20, meter: 20, packetsPerSecond: 1000 },
  resolve: { code: 21, meter: 21, packetsPerSecond: 1000 },
  gateway_probe: { code: 11, meter: 11, packetsPerSecond: 2000 },
} as const;

/** Packets that routers may have to answer pass one of these by the port they are from, before the meter of their kind: one port leaves room for the others. */
export const SENDER_METERS = { first: 64, count: 32, packetsPerSecond: 200 } as const;

export type PuntKind = keyof typeof PUNT_KINDS;

export type Punt = { readonly kind: Exclude<PuntKind, PolicyPunt['kind']> } | PolicyPunt;

/** A packet that a security group rule has decided on; which one is in the registers. */
export interface PolicyPunt {
  readonly kind: 'log_allowed' | 'log_denied' | 'reject';
  readonly direction: 'egress' | 'ingress';
  /** Whether the rule asks for a line in the log. */
  readonly log: boolean;
}

const MAGIC = 0x48;
const LAYOUT = 2;
const LENGTH = 4;

const INGRESS = 1;
const LOG = 2;

/** `[magic, layout, kind, flags]`. */
export function encodePunt(punt: Punt): Uint8Array {
  const flags = 'direction' in punt ? (punt.direction === 'ingress' ? INGRESS : 0) | (punt.log ? LOG : 0) : 0;
  return Uint8Array.of(MAGIC, LAYOUT, PUNT_KINDS[punt.kind].code, flags);
}

const BY_CODE: ReadonlyMap<number, PuntKind> = new Map(
  (Object.keys(PUNT_KINDS) as PuntKind[]).map((kind) => [PUNT_KINDS[kind].code, kind]),
);

export function decodePunt(bytes: Uint8Array): Punt | undefined {
  if (bytes.length < LENGTH || bytes[0] !== MAGIC || bytes[1] !== LAYOUT) return undefined;
  const kind = BY_CODE.get(bytes[2]!);
  const flags = bytes[3]!;
  if (kind === 'log_allowed' || kind === 'log_denied' || kind === 'reject')
    return { kind, direction: (flags & INGRESS) === 0 ? 'egress' : 'ingress', log: (flags & LOG) !== 0 };
  return kind === undefined ? undefined : { kind };
}
