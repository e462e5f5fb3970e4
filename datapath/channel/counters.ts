/**
 * What a connection counts.
 *
 * Owns: plain numbers that only grow, and the names they are reported under.
 * Promises: counting a message costs two additions; names are made only when someone asks.
 */

/** OFPT_ in the order of their numbers (OF1.3.5 §7.1). */
const MESSAGE_TYPES = [
  'hello',
  'error',
  'echo_request',
  'echo_reply',
  'experimenter',
  'features_request',
  'features_reply',
  'get_config_request',
  'get_config_reply',
  'set_config',
  'packet_in',
  'flow_removed',
  'port_status',
  'packet_out',
  'flow_mod',
  'group_mod',
  'port_mod',
  'table_mod',
  'multipart_request',
  'multipart_reply',
  'barrier_request',
  'barrier_reply',
  'queue_get_config_request',
  'queue_get_config_reply',
  'role_request',
  'role_reply',
  'get_async_request',
  'get_async_reply',
  'set_async',
  'meter_mod',
  'unknown',
] as const;
const UNKNOWN = MESSAGE_TYPES.length - 1;

export interface TrafficSnapshot {
  readonly messages: number;
  readonly bytes: number;
  /** Messages per OFPT_ name; types never seen are absent. */
  readonly by_type: Readonly<Record<string, number>>;
}

/** One direction of a connection. */
export class Traffic {
  readonly #byType = new Array<number>(MESSAGE_TYPES.length).fill(0);
  #bytes = 0;

  count(type: number, length: number): void {
    this.#byType[type < UNKNOWN ? type : UNKNOWN]!++;
    this.#bytes += length;
  }

  snapshot(): TrafficSnapshot {
    const byType: Record<string, number> = {};
    let messages = 0;
    for (const [type, count] of this.#byType.entries()) {
      if (count > 0) byType[MESSAGE_TYPES[type]!] = count;
      messages += count;
    }
    return { messages, bytes: this.#bytes, by_type: byType };
  }
}

/** Things that happened on one connection. */
export interface EventCounts {
  /** Messages that did not decode. */
  malformed: number;
  /** Replies nobody waited for. */
  orphans: number;
  echo_replies_dropped: number;
  packet_outs_dropped: number;
  /** Packet-ins thrown away because their receiver lagged. */
  packet_ins_shed: number;
  /** Receivers of packet-ins or other messages that threw or rejected. */
  receiver_failures: number;
  /** Times reading was paused for a receiver that lagged. */
  pauses: number;
  bundles_committed: number;
  bundles_failed: number;
  /** Times another controller took the master role away. */
  demotions: number;
}

export function noEvents(): EventCounts {
  return {
    malformed: 0,
    orphans: 0,
    echo_replies_dropped: 0,
    packet_outs_dropped: 0,
    packet_ins_shed: 0,
    receiver_failures: 0,
    pauses: 0,
    bundles_committed: 0,
    bundles_failed: 0,
    demotions: 0,
  };
}

/** The state of one connection at one instant: plain data, for metrics and the status API. */
export interface ChannelSnapshot {
  readonly state: 'hello' | 'features' | 'ready' | 'closed';
  readonly role: 'equal' | 'master' | 'slave';
  readonly generation_id: bigint | undefined;
  readonly rx: TrafficSnapshot;
  readonly tx: TrafficSnapshot;
  /** OFPT_ERROR messages received, per name. */
  readonly errors: Readonly<Record<string, number>>;
  readonly events: Readonly<EventCounts>;
  /** Requests without a reply yet. */
  readonly pending_requests: number;
  /** Bytes per lane, and what the socket itself holds. */
  readonly queued_bytes: {
    readonly urgent: number;
    readonly control: number;
    readonly packet_out: number;
    readonly ordered: number;
    readonly socket: number;
  };
  /** Milliseconds; undefined before the first measurement. */
  readonly echo_rtt: number | undefined;
  readonly barrier_latency: number | undefined;
}
