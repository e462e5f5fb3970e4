/**
 * One OpenFlow connection as the agent sees it.
 *
 * Owns: the interface between the channel (bytes, xids, echo, multipart) and its users (reconciler, punt dispatcher).
 * Promises: typed requests; every pending promise settles (with ChannelError on disconnect); order of sends is kept.
 */
import type { Flow, Group, Meter } from '../../flows/openflow/flow.js';
import type { Action } from '../../flows/openflow/action.js';
import type { Match } from '../../flows/openflow/match.js';

/** An error the switch sent, tied to the message that caused it. */
export interface SwitchError {
  readonly xid: number;
  readonly type: number;
  readonly code: number;
  readonly experimenter?: number | undefined;
  /** `OFPBAC_BAD_OUT_GROUP` style. */
  readonly name: string;
}

export type TableMod =
  | { readonly kind: 'flow_add'; readonly flow: Flow }
  | { readonly kind: 'flow_delete_strict'; readonly flow: Pick<Flow, 'table' | 'priority' | 'match'> }
  | { readonly kind: 'group_add' | 'group_modify'; readonly group: Group }
  | { readonly kind: 'group_delete'; readonly group_id: number };

/** `data` and `userdata` are views of what was read from the socket: copy them to keep them. */
export interface PacketIn {
  readonly data: Uint8Array;
  readonly full_length: number;
  readonly table: number;
  readonly cookie: bigint;
  readonly reason: number;
  /** Non-zero registers, in_port, metadata, ct_*, tunnel fields. */
  readonly metadata: Match;
  readonly userdata: Uint8Array;
}

export interface SwitchFeatures {
  readonly datapath_id: bigint;
  readonly n_tables: number;
  readonly capabilities: number;
  /** 0 for a main connection. */
  readonly auxiliary_id?: number | undefined;
}

/** Flows whose cookie equals `cookie` under `cookie_mask`; of every table when none is named. */
export interface FlowFilter {
  readonly cookie: bigint;
  readonly cookie_mask: bigint;
  readonly table?: number | undefined;
}

export interface Channel {
  readonly features: SwitchFeatures;
  /** Resolves when the connection is over, with the reason; never rejects. */
  readonly closed: Promise<Error | undefined>;
  /**
   * One atomic, ordered ONF bundle, committed and followed by a barrier. Rejects with BundleError (index of the mod that failed and the SwitchError);
   * nothing is applied then, unless the error says which were left out. A switch without bundles rejects with ChannelError `bundles_unsupported`. The signal is heeded until COMMIT is sent.
   */
  bundle(mods: readonly TableMod[], signal?: AbortSignal): Promise<void>;
  /** Flows whose cookie matches under the mask, streamed by part. A promise from `onPart` slows the switch down until it settles. */
  dumpFlows(filter: FlowFilter, onPart: (flows: readonly Flow[]) => void | Promise<void>, signal?: AbortSignal): Promise<void>;
  /** Sum of flows whose cookie matches. */
  countFlows(filter: FlowFilter): Promise<number>;
  dumpGroups(signal?: AbortSignal): Promise<readonly Group[]>;
  dumpMeters(signal?: AbortSignal): Promise<readonly Meter[]>;
  meterMod(command: 'add' | 'modify' | 'delete', meter: Meter): Promise<void>;
  /** Empties conntrack of one zone (NXT_CT_FLUSH_ZONE) and waits for a barrier. */
  ctFlushZone(zone: number): Promise<void>;
  barrier(): Promise<void>;
  /**
   * Punt connections: sets the controller id that `controller(id=)` addresses, asks for NXT_PACKET_IN2, opens the async mask for packet-ins alone.
   * A promise from `onPacketIn` means "busy": when too many are, reading pauses, and after some seconds packet-ins are dropped and counted.
   */
  enablePunts(controllerId: number, onPacketIn: (packet: PacketIn) => void | Promise<void>): Promise<void>;
  /** Fire and forget; errors are counted. Dropped, and counted, when the send buffer is full. */
  packetOut(data: Uint8Array, inPort: number, actions: readonly Action[]): void;
  /** Asks for a role with a fencing generation id; rejects when the switch says stale. */
  requestRole(role: 'equal' | 'master' | 'slave', generationId: bigint): Promise<void>;
  close(): void;
}
