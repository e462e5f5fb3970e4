/**
 * Bodies of multipart requests and replies as values (OpenFlow 1.3.5 §7.3.5).
 *
 * Owns: the unions `MultipartRequestBody` and `MultipartReplyBody` and the entries they hold.
 * Promises: plain immutable data. A flow, group or meter read back is a `Flow`, `Group` or `Meter`: the same type that was sent.
 */
import type { Instruction } from './action.js';
import type { Flow, Group, Meter } from './flow.js';
import type { Match } from './match.js';

/** Which flows a flow or aggregate request asks for (§7.3.5.2). */
export interface FlowStatsRequest {
  readonly kind: 'flow' | 'aggregate';
  /** 0xff is every table. */
  readonly table: number;
  /** Absent is OFPP_ANY. */
  readonly out_port?: number | undefined;
  /** Absent is OFPG_ANY. */
  readonly out_group?: number | undefined;
  readonly cookie?: bigint | undefined;
  /** Absent is 0: any cookie. */
  readonly cookie_mask?: bigint | undefined;
  readonly match: Match;
}

/** ONF EXT-187: which changes to report. */
export interface FlowMonitor {
  readonly monitor_id: number;
  /** ONFFMF_*: INITIAL 1, ADD 2, DELETE 4, MODIFY 8, ACTIONS 16, OWN 32. */
  readonly flags: number;
  readonly out_port: number;
  /** 0xff is every table. */
  readonly table: number;
  readonly match: Match;
}

export type MultipartRequestBody =
  | { readonly kind: 'desc' | 'table' | 'group_desc' | 'group_features' | 'meter_features' | 'port_desc' | 'ipfix_bridge' | 'ipfix_flow' }
  | FlowStatsRequest
  | { readonly kind: 'port_stats'; readonly port_no: number }
  | { readonly kind: 'queue'; readonly port_no: number; readonly queue_id: number }
  | { readonly kind: 'group'; readonly group_id: number }
  | { readonly kind: 'meter' | 'meter_config'; readonly meter_id: number }
  /** An empty list asks, a non-empty one sets. */
  | { readonly kind: 'table_features'; readonly tables: readonly TableFeatures[] }
  | { readonly kind: 'flow_monitor'; readonly monitors: readonly FlowMonitor[] }
  | { readonly kind: 'experimenter'; readonly experimenter: number; readonly exp_type: number; readonly data: Uint8Array }
  | { readonly kind: 'unknown'; readonly type: number; readonly data: Uint8Array };

/** §7.2.1. */
export interface Port {
  readonly port_no: number;
  readonly hw_addr: number;
  /** Up to 15 bytes, one character per byte. */
  readonly name: string;
  /** OFPPC_*: PORT_DOWN 1, NO_RECV 4, NO_FWD 32, NO_PACKET_IN 64. */
  readonly config: number;
  /** OFPPS_*: LINK_DOWN 1, BLOCKED 2, LIVE 4. */
  readonly state: number;
  /** OFPPF_* bits. */
  readonly curr: number;
  readonly advertised: number;
  readonly supported: number;
  readonly peer: number;
  /** kbit/s. */
  readonly curr_speed: number;
  readonly max_speed: number;
}

/** A flow as read back, with its counters (§7.3.5.2). An all-ones counter means "not known". */
export interface FlowStats extends Flow {
  readonly idle_timeout: number;
  readonly hard_timeout: number;
  readonly flags: number;
  readonly duration_sec: number;
  readonly duration_nsec: number;
  readonly packet_count: bigint;
  readonly byte_count: bigint;
}

/** §7.3.5.4. */
export interface TableStats {
  readonly table: number;
  readonly active_count: number;
  readonly lookup_count: bigint;
  readonly matched_count: bigint;
}

/** §7.3.5.6. */
export interface PortStats {
  readonly port_no: number;
  readonly rx_packets: bigint;
  readonly tx_packets: bigint;
  readonly rx_bytes: bigint;
  readonly tx_bytes: bigint;
  readonly rx_dropped: bigint;
  readonly tx_dropped: bigint;
  readonly rx_errors: bigint;
  readonly tx_errors: bigint;
  readonly rx_frame_err: bigint;
  readonly rx_over_err: bigint;
  readonly rx_crc_err: bigint;
  readonly collisions: bigint;
  readonly duration_sec: number;
  readonly duration_nsec: number;
}

/** §7.3.5.8. */
export interface QueueStats {
  readonly port_no: number;
  readonly queue_id: number;
  readonly tx_bytes: bigint;
  readonly tx_packets: bigint;
  readonly tx_errors: bigint;
  readonly duration_sec: number;
  readonly duration_nsec: number;
}

export interface Counter {
  readonly packet_count: bigint;
  readonly byte_count: bigint;
}

/** §7.3.5.9. */
export interface GroupStats {
  readonly group_id: number;
  readonly ref_count: number;
  readonly packet_count: bigint;
  readonly byte_count: bigint;
  readonly duration_sec: number;
  readonly duration_nsec: number;
  readonly buckets: readonly Counter[];
}

/** §7.3.5.12. */
export interface MeterStats {
  readonly meter_id: number;
  readonly flow_count: number;
  readonly packet_in_count: bigint;
  readonly byte_in_count: bigint;
  readonly duration_sec: number;
  readonly duration_nsec: number;
  readonly bands: readonly Counter[];
}

/** An instruction, action or field that a table supports, as its bare identifier. */
export interface FeatureId {
  readonly type: number;
  /** With type 0xffff: experimenter id, and what follows it. */
  readonly experimenter?: number | undefined;
  readonly data?: Uint8Array | undefined;
}

/** An OXM header without value. */
export interface OxmId {
  readonly header: number;
  /** Only for class 0xffff. */
  readonly experimenter?: number | undefined;
}

export type TableFeatureProperty =
  | { readonly kind: 'instructions' | 'write_actions' | 'apply_actions'; readonly miss: boolean; readonly ids: readonly FeatureId[] }
  | { readonly kind: 'next_tables'; readonly miss: boolean; readonly tables: readonly number[] }
  | { readonly kind: 'match' | 'wildcards'; readonly oxms: readonly OxmId[] }
  | { readonly kind: 'write_setfield' | 'apply_setfield'; readonly miss: boolean; readonly oxms: readonly OxmId[] }
  | {
      readonly kind: 'experimenter';
      readonly miss: boolean;
      readonly experimenter: number;
      readonly exp_type: number;
      readonly data: Uint8Array;
    }
  | { readonly kind: 'unknown'; readonly type: number; readonly data: Uint8Array };

/** §7.3.5.5. */
export interface TableFeatures {
  readonly table: number;
  readonly name: string;
  readonly metadata_match: bigint;
  readonly metadata_write: bigint;
  readonly config: number;
  readonly max_entries: number;
  readonly properties: readonly TableFeatureProperty[];
}

/** ONF EXT-187: one change of the flow table. */
export type FlowUpdate =
  | {
      readonly kind: 'added' | 'deleted' | 'modified';
      /** OFPRR_* of a deletion. */
      readonly reason: number;
      readonly priority: number;
      readonly idle_timeout: number;
      readonly hard_timeout: number;
      readonly table: number;
      readonly cookie: bigint;
      readonly match: Match;
      readonly instructions: readonly Instruction[];
    }
  /** Our own change, by the xid of the flow-mod. */
  | { readonly kind: 'abbreviated'; readonly xid: number }
  | { readonly kind: 'unknown'; readonly event: number; readonly data: Uint8Array };

/** §7.3.5.11. Index of the arrays: all, select, indirect, fast failover. */
export interface GroupFeatures {
  readonly types: number;
  readonly capabilities: number;
  readonly max_groups: readonly [number, number, number, number];
  readonly actions: readonly [number, number, number, number];
}

/** §7.3.5.14. */
export interface MeterFeatures {
  readonly max_meter: number;
  readonly band_types: number;
  readonly capabilities: number;
  readonly max_bands: number;
  readonly max_color: number;
}

/** NXST_IPFIX_BRIDGE and NXST_IPFIX_FLOW: counters of an IPFIX exporter. */
export interface IpfixStats {
  readonly total_flows: bigint;
  readonly current_flows: bigint;
  readonly pkts: bigint;
  readonly ipv4_pkts: bigint;
  readonly ipv6_pkts: bigint;
  readonly error_pkts: bigint;
  readonly ipv4_error_pkts: bigint;
  readonly ipv6_error_pkts: bigint;
  readonly tx_pkts: bigint;
  readonly tx_errors: bigint;
  readonly collector_set_id: number;
}

export type MultipartReplyBody =
  | {
      readonly kind: 'desc';
      readonly mfr_desc: string;
      readonly hw_desc: string;
      readonly sw_desc: string;
      readonly serial_num: string;
      readonly dp_desc: string;
    }
  | { readonly kind: 'flow'; readonly flows: readonly FlowStats[] }
  | { readonly kind: 'aggregate'; readonly packet_count: bigint; readonly byte_count: bigint; readonly flow_count: number }
  | { readonly kind: 'table'; readonly tables: readonly TableStats[] }
  | { readonly kind: 'port_stats'; readonly ports: readonly PortStats[] }
  | { readonly kind: 'queue'; readonly queues: readonly QueueStats[] }
  | { readonly kind: 'group'; readonly groups: readonly GroupStats[] }
  | { readonly kind: 'group_desc'; readonly groups: readonly Group[] }
  | { readonly kind: 'group_features'; readonly features: GroupFeatures }
  | { readonly kind: 'meter'; readonly meters: readonly MeterStats[] }
  | { readonly kind: 'meter_config'; readonly meters: readonly Meter[] }
  | { readonly kind: 'meter_features'; readonly features: MeterFeatures }
  | { readonly kind: 'table_features'; readonly tables: readonly TableFeatures[] }
  | { readonly kind: 'port_desc'; readonly ports: readonly Port[] }
  | { readonly kind: 'flow_monitor'; readonly updates: readonly FlowUpdate[] }
  | { readonly kind: 'ipfix_bridge' | 'ipfix_flow'; readonly stats: readonly IpfixStats[] }
  | { readonly kind: 'experimenter'; readonly experimenter: number; readonly exp_type: number; readonly data: Uint8Array }
  | { readonly kind: 'unknown'; readonly type: number; readonly data: Uint8Array };
