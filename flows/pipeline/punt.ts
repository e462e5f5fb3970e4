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
  live: { code: 25, meter: 25, packetsPerSecond: 1000 },
} as const;

/** Packets that routers may have to answer pass one of these by the port they are from, before the meter of their kind: one port leaves room for the others. */
export const SENDER_METERS = { first: 64, count: 32, packetsPerSecond: 200 } as const;

export type PuntKind = keyof typeof PUNT_KINDS;

export type Punt = { readonly kind: Exclude<PuntKind, PolicyPunt['kind'] | LivePunt['kind']> } | PolicyPunt | LivePunt;

/** Where a live trace sees a packet, or what has become of it there; the code is on the wire. */
export const LIVE_POINTS = {
  /** Came in by the port of the interface that is traced. */
  entry: 1,
  /** Came from another hypervisor. */
  arrival: 2,
  /** In LOCAL, where it may be answered. */
  local: 3,
  /** Went to a local port, or to many. */
  delivered: 4,
  flooded: 5,
  /** Went to another hypervisor. */
  sent: 6,
  /** Went to a physical network. */
  left: 7,
  /** Its sender is told why it goes no further. */
  refused: 8,
  /** A router had it for itself. */
  answered: 9,
  dropped: 10,
} as const;
export type LivePoint = keyof typeof LIVE_POINTS;

/** A copy of a packet that a live trace follows. */
export interface LivePunt {
  readonly kind: 'live';
  /** 1 to 255, of this datapath. */
  readonly session: number;
  readonly point: LivePoint;
}

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

/** `[magic, layout, kind, flags]`; of a live trace `[magic, layout, kind, point, session]`. */
export function encodePunt(punt: Punt): Uint8Array {
  if (punt.kind === 'live') return Uint8Array.of(MAGIC, LAYOUT, PUNT_KINDS.live.code, LIVE_POINTS[punt.point], punt.session);
  const flags = 'direction' in punt ? (punt.direction === 'ingress' ? INGRESS : 0) | (punt.log ? LOG : 0) : 0;
  return Uint8Array.of(MAGIC, LAYOUT, PUNT_KINDS[punt.kind].code, flags);
}

const BY_CODE: ReadonlyMap<number, PuntKind> = new Map(
  (Object.keys(PUNT_KINDS) as PuntKind[]).map((kind) => [PUNT_KINDS[kind].code, kind]),
);

const POINTS_BY_CODE: ReadonlyMap<number, LivePoint> = new Map(
  (Object.keys(LIVE_POINTS) as LivePoint[]).map((point) => [LIVE_POINTS[point], point]),
);

export function decodePunt(bytes: Uint8Array): Punt | undefined {
  if (bytes.length < LENGTH || bytes[0] !== MAGIC || bytes[1] !== LAYOUT) return undefined;
  const kind = BY_CODE.get(bytes[2]!);
  const flags = bytes[3]!;
  if (kind === 'log_allowed' || kind === 'log_denied' || kind === 'reject')
    return { kind, direction: (flags & INGRESS) === 0 ? 'egress' : 'ingress', log: (flags & LOG) !== 0 };
  if (kind !== 'live') return kind === undefined ? undefined : { kind };
  const [point, session] = [POINTS_BY_CODE.get(flags), bytes[LENGTH] ?? 0];
  return point === undefined || session === 0 ? undefined : { kind, point, session };
}
