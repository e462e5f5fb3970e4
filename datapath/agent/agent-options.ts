/**
 * What an agent is made of and told.
 */
import type { SliceSource } from '../../controller/messages/slice.js';
import type { TracerouteMode } from '../../flows/model/entities/routing.js';
import type { Clock } from './clock.js';
import type { OverlayOptions } from './endpoints.js';
import type { AgentLog } from './log.js';
import type { SliceFile } from './slice-file.js';
import type { Turns } from './turns.js';

export interface AgentTimes {
  /** A whole slice, or a change of it, was compiled in so many seconds. */
  readonly compiled: (kind: 'full' | 'incremental', seconds: number) => void;
  /** What a revision asks for is in the switch, so many seconds after it was heard of. */
  readonly synced: (seconds: number) => void;
}

export interface AgentOptions {
  readonly sliceSource: SliceSource;
  readonly node_id: string;
  /** 16 hex digits; null: made from node_id and bridge. */
  readonly datapath_id?: string | null;
  readonly bridge: string;
  readonly datapath_type: 'system' | 'netdev';
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly ovsdb: string;
  /** The bridge's OpenFlow target, `unix:PATH` or `tcp:HOST:PORT`; null where it follows from `ovsdb`. */
  readonly openflow: string | null;
  /** Default: there is no other hypervisor. */
  readonly overlay?: OverlayOptions;
  /** Where the last slice is kept, for a start without vnmgr; default: nowhere. */
  readonly sliceFile?: SliceFile;
  readonly auditPeriodMs: number;
  /** Packets a minute that are held against the switch's own trace; none unless told. */
  readonly traceAuditRate?: number;
  /** Between two checks that compiling all at once comes to the same; never unless told. */
  readonly compileCheckPeriodMs?: number;
  /** Bytes, for networks without an MTU of their own. */
  readonly default_mtu: number;
  /** Of virtual routers that have no mode of their own; virtual-hops unless told. */
  readonly traceroute?: TracerouteMode;
  /** Seconds. */
  readonly dhcp_lease_time: number;
  readonly log: AgentLog;
  /** Told how long things take. */
  readonly times?: AgentTimes;
  /** Shared by the agents of a process. */
  readonly turns?: Turns;
  readonly clock?: Clock;
  /** 0 ≤ x < 1. */
  readonly random?: () => number;
}
