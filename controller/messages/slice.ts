/**
 * Messages between vnmgr and vna.
 *
 * Owns: what a vna is told (slices) and what it reports (vifs, applied revisions), as versioned plain data that survives CBOR.
 * Assumes: per datapath, messages arrive in order or not at all; `seq` is dense, so a gap is seen and answered by a new snapshot.
 * Promises: a slice is the whole desired input of one datapath; nothing else reaches the compiler but the local ports vna sees itself.
 */
import type { Binding } from '../../flows/model/binding.js';
import type { Entity } from '../../flows/model/entities.js';
import type { Chassis } from '../../flows/model/entities/presence.js';
import type { LiveProvider } from './live.js';

/**
 * What a slice holds: model entities, bindings of the interfaces it mentions (its own and, where known, its peers'), and the chassis of every
 * datapath that shares a routing domain with it, its own among them. `vif` records are not told.
 */
export type SliceRecord = Entity | Binding;

export const SLICE_SCHEMA_VERSION = 1;

/** `(incarnation, number)`: numbers are dense within an incarnation; a new incarnation forces every watcher to re-list. */
export interface Revision {
  readonly incarnation: string;
  readonly number: number;
}

export interface SliceSnapshot {
  readonly kind: 'snapshot';
  readonly schema_version: number;
  readonly datapath_uuid: string;
  readonly seq: number;
  readonly revision: Revision;
  readonly entities: readonly SliceRecord[];
}

export interface SliceDelta {
  readonly kind: 'delta';
  readonly schema_version: number;
  readonly datapath_uuid: string;
  /** One more than the message before it. */
  readonly seq: number;
  readonly revision: Revision;
  readonly puts: readonly SliceRecord[];
  /** uuids. */
  readonly deletes: readonly string[];
}

export type SliceMessage = SliceSnapshot | SliceDelta;

/** One NIC a vna sees on its bridge and that may be a VM's: identified to vnmgr, which decides what interface it is. */
export interface VifObservation {
  /** Stable while the NIC stays plugged: the OVS port name. */
  readonly port_name: string;
  readonly iface_id: string | null;
}

/** Sent after the barrier of the change that brought the datapath to `seq`, and whenever the state changes. */
export interface AppliedReport {
  readonly datapath_uuid: string;
  readonly connected: boolean;
  /** Last slice message whose flows the switch has confirmed; null before the first. */
  readonly applied_seq: number | null;
  readonly flow_count: number;
  /** Flow and group modifications sent to the switch since the agent started. */
  readonly flow_mods: number;
  /** Flows and groups found missing, foreign or altered in the switch and put right, since the agent started. */
  readonly drift_repairs?: number | undefined;
  /** The error that keeps the datapath from applying more, if one does; `seq` is the last message it keeps back. */
  readonly error: { readonly seq: number; readonly message: string; readonly uuids: readonly string[] } | null;
  /** What is not as it should be but keeps nothing from being applied. */
  readonly conditions?: readonly Condition[] | undefined;
}

/** Something about a datapath that an operator should know. */
export interface Condition {
  /** Stable, for programs. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  /** Entities concerned. */
  readonly uuids: readonly string[];
}

/** What a vna says of its hypervisor: where tunnels to it end, and which physical networks it is on; without them, none. */
export type ChassisFacts = Pick<Chassis, 'endpoints' | 'encaps' | 'underlay'> & Partial<Pick<Chassis, 'physical_networks'>>;

/** The identity a vna presents; vnmgr finds the datapath by (dpid) or registers it. */
export interface DatapathHello {
  readonly node_id: string;
  /** `0x` and 16 hex digits. */
  readonly dpid: string;
  readonly bridge: string;
  /**
   * The NICs seen when attaching, as if reported before the first snapshot: that snapshot already has their bindings. Without it, a restarted
   * vna would take a slice without its own ports for complete and remove their flows.
   */
  readonly vifs: readonly VifObservation[];
  /** Absent: no tunnel can end there. */
  readonly chassis?: ChassisFacts | undefined;
}

/** One flow of a datapath in the user's words. Plain data. */
export interface FlowEntry {
  readonly table: number;
  readonly table_name: string;
  readonly priority: number;
  /** The flow as `ovs-ofctl` writes it. */
  readonly text: string;
  /** `0x` and 16 hex digits. */
  readonly cookie: string;
  /** uuids of the entities the flow was made from. */
  readonly owners: readonly string[];
  /** The rule that made it. */
  readonly rule: string;
  /** What the switch has counted; absent where it was not asked. */
  readonly packets?: number | undefined;
  readonly bytes?: number | undefined;
}

/** Answers the flows a vna wants on its bridge, by table and falling priority; with `owner`, only those made from that entity, with their counters. */
export type FlowProvider = (owner: string | undefined) => Promise<readonly FlowEntry[]>;

/** An operator says that the slice a vna holds back is right. Answers false when it holds none. */
export type SliceAcceptor = () => Promise<boolean>;

/** A packet to run through the switch's own trace. */
export interface TraceProbe {
  /** The port it comes in by: an interface, an encapsulation, `underlay`, or `physical:` and the name of a physical network. */
  readonly by: string;
  /** As `ofproto/trace` takes it, without the port. */
  readonly packet: string;
  /** What conntrack answers, in order: ct_state bits. */
  readonly ct: readonly number[];
}

/** What the switch makes of it, beside the interpreter over the flows that are wanted there. */
export interface TraceCheck {
  /** The first thing the two disagree on; null: nothing. */
  readonly difference: { readonly what: string; readonly packet: string; readonly interpreter: string; readonly switch: string } | null;
  /** Outputs could not be compared. */
  readonly partly: boolean;
  /** Tables the switch walked, in each pass through conntrack: `TABLE priority P cookie C`, or `TABLE miss`. */
  readonly walk: readonly (readonly string[])[];
  /** What the switch printed. */
  readonly text: string;
}

/** Asks the switch. Throws HotoriError `unavailable` when it cannot be asked. */
export type TraceChecker = (probes: readonly TraceProbe[]) => Promise<readonly TraceCheck[]>;

/** How long a datapath has a gateway without saying so again. */
export const GATEWAY_LEASE_MS = 400;

/** vnmgr as a vna sees it. In one process this is vnmgr itself; across processes a bus client. */
export interface SliceSource {
  /**
   * Attaches a datapath. Resolves with its uuid once known or registered; waits while `auto_register` is off and it is not defined.
   * A snapshot follows, then deltas; `onMessage` is called in order and never re-entrantly.
   */
  attach(hello: DatapathHello, onMessage: (message: SliceMessage) => void, signal: AbortSignal): Promise<SliceAttachment>;
}

export interface SliceAttachment {
  readonly datapath_uuid: string;
  /** The whole set of NICs seen now, level-triggered. Bindings come back with the slice. */
  reportVifs(vifs: readonly VifObservation[]): void;
  /** The endpoints and encapsulations as they are now, level-triggered. */
  reportChassis(chassis: ChassisFacts): void;
  reportApplied(report: AppliedReport): void;
  /**
   * Takes, or keeps, a router's port as its gateway, for GATEWAY_LEASE_MS from some moment after this was called; false while another datapath has it, and
   * where this one is not to have it. Rejects when that cannot be found out.
   */
  holdGateway(interface_uuid: string): Promise<boolean>;
  /** Of these datapaths, by uuid, those that have not installed a revision as far as is known. Rejects when that cannot be found out. */
  behind(revision: number, datapaths: readonly string[]): Promise<readonly string[]>;
  /** Asks for a new snapshot (after a gap or a broken local copy). */
  relist(): void;
  /** Registers who answers questions about this datapath's flows; until then, and after `closed`, they are answered `unavailable`. */
  serveFlows(provider: FlowProvider): void;
  /** Registers who takes an operator's word for a slice that is held back; `unavailable` as with flows. */
  serveAcceptance(acceptor: SliceAcceptor): void;
  /** Registers who runs packets through the switch's own trace; `unavailable` as with flows. */
  serveChecks(checker: TraceChecker): void;
  /** Registers who carries out live traces; `unavailable` as with flows. */
  serveLive(provider: LiveProvider): void;
  /** Called when the datapath was deleted from the model or re-created; the agent attaches again. */
  readonly closed: Promise<void>;
}
