/**
 * What a compiler rule is.
 *
 * Owns: the shape of a rule (a pure function from one record, plus what it looks up, to flows and facts), the records it can see and the indexes over them.
 * Assumes: the engine (flows/compile) records every look-up, and runs a rule again when something it looked up changes.
 * Promises: rules have no other input than their record and the look-ups, and no other output than what they emit.
 */
import type { Action, Instruction } from '../openflow/action.js';
import type { Match } from '../openflow/match.js';
import type { Group } from '../openflow/flow.js';
import type { Binding } from '../model/binding.js';
import type { Entity } from '../model/entities.js';
import type { Encapsulation } from '../model/entities/presence.js';
import type { TracerouteMode } from '../model/entities/routing.js';
import type { Fact } from './facts.js';
import type { LiveFilter } from './live-filter.js';
import type { Offer, Side } from './pairing.js';
import type { TableName } from './tables.js';

/** A NIC present on this bridge and bound to an interface. What vna sees itself; not part of the slice. */
export interface LocalPort {
  readonly kind: 'local_port';
  /** `port-<interface uuid>`. */
  readonly uuid: string;
  readonly interface_uuid: string;
  readonly ofport: number;
  /** Conntrack zone, 1 to 65535, unique on the datapath. */
  readonly ct_zone: number;
}

/** Which hypervisor this is, as it reported itself. What vna knows itself; without it nothing beyond this hypervisor is compiled. */
export interface Here extends Side {
  readonly kind: 'here';
  readonly uuid: 'here';
  /** `auto`: segments cross to every peer that has ports in their domain; `explicit`: only where both ends are named for them. */
  readonly overlay_mode: 'auto' | 'explicit';
  /** uuids of the datapaths on the same L2 that have had the time to accept frames without a tunnel. */
  readonly settled_peers: readonly string[];
  /** While that changes: all that others may still use, or use already, to get here. Absent: what it says itself. */
  readonly accepts?: Offer | undefined;
}

/** The port of an encapsulation on this bridge, for tunnels to wherever a flow says. What vna sees itself. */
export interface TunnelPort {
  readonly kind: 'tunnel_port';
  /** `tunnel-<encapsulation>`. */
  readonly uuid: string;
  readonly encap: Encapsulation;
  readonly ofport: number;
}

/** Conntrack zones of a router that translates, on this bridge. What vna chose itself; without them nothing is translated here. */
export interface NatZones {
  readonly kind: 'nat_zones';
  /** `nz-<route link>`. */
  readonly uuid: string;
  /** Of what leaves to outside networks with another source. */
  readonly source_zone: number;
  /** Of what comes to an address that stands for another. */
  readonly target_zone: number;
}

/** A port to the bridge of the underlay. What vna sees itself. */
export interface UnderlayPort {
  readonly kind: 'underlay_port';
  /** `underlay`: frames leave by it, too. By others, of an underlay that was given up, they only come in. */
  readonly uuid: string;
  readonly ofport: number;
}

/** The port to the bridge of a physical network. What vna sees itself. */
export interface PhysicalPort {
  readonly kind: 'physical_port';
  /** `physical-<name>`. */
  readonly uuid: string;
  /** As networks name it. */
  readonly physical_network: string;
  readonly ofport: number;
}

/** This datapath may act as the gateway of a router's port that others may be the gateway of, too. What vna has made sure of itself. */
export interface GatewayHold {
  readonly kind: 'gateway_hold';
  /** `hold-<interface>`. */
  readonly uuid: string;
  readonly interface_uuid: string;
}

/** Somebody outside, next to a gateway of this hypervisor, whose MAC is known. What vna has learnt itself. */
export interface Neighbor {
  readonly kind: 'neighbor';
  /** `neighbor-<mac lease of the gateway>-<address>`. */
  readonly uuid: string;
  /** The gateway's, whose neighbour it is. */
  readonly mac_lease_uuid: string;
  /** Canonical text. */
  readonly address: string;
  readonly mac: number;
}

/** Somebody follows real packets of an interface for a while. What vna was asked for; nobody stores it, and it ends by itself. */
export interface LiveTrace {
  readonly kind: 'live_trace';
  /** `live-<session>`. */
  readonly uuid: string;
  /** 1 to 255, of this datapath. */
  readonly session: number;
  /** Whose packets. */
  readonly interface_uuid: string;
  readonly filter: LiveFilter;
  /** Only what does not arrive is told. */
  readonly dropped_only: boolean;
  /** Seconds after which the switch itself removes the flows; longer than the trace lasts. */
  readonly seconds: number;
}

/** Root of what is there without any entity: misses, drops, the fixed parts of tables. The compiler holds exactly one. */
export interface Pipeline {
  readonly kind: 'pipeline';
  readonly uuid: 'pipeline';
  /** Of routers that have none of their own. */
  readonly traceroute: TracerouteMode;
}

/** What vna knows by itself, and no slice has. */
export type LocalRecord = LocalPort | NatZones | Here | TunnelPort | UnderlayPort | PhysicalPort | GatewayHold | Neighbor | LiveTrace;
export type InputRecord = Entity | Binding | LocalRecord;
export type RuleRecord = InputRecord | Pipeline | Fact;
export type RecordKind = RuleRecord['kind'];
export type RecordOf<K extends RecordKind> = Extract<RuleRecord, { kind: K }>;

/** An index: for the records of one kind, the keys under which each is found. A pure function of the record. */
export interface Index<K extends RecordKind = RecordKind> {
  readonly kind: K;
  keys(record: RecordOf<K>): readonly string[];
}

/** Declares an index with its record type inferred. */
export function index<K extends RecordKind>(kind: K, keys: (record: RecordOf<K>) => readonly string[]): Index<K> {
  return { kind, keys };
}

export interface Lookup {
  get<K extends RecordKind>(kind: K, uuid: string): RecordOf<K> | undefined;
  /** In uuid order. */
  all<K extends RecordKind>(index: Index<K>, key: string): readonly RecordOf<K>[];
}

export interface Emit {
  /** Who is responsible for the flows emitted from now on; starts as the rule's record alone. */
  owners(...uuids: readonly string[]): void;
  /** @param seconds after which the switch removes it by itself; for good when absent */
  flow(table: TableName, priority: number, match: Match, instructions: readonly Instruction[], seconds?: number): void;
  /** One conjunctive clause; clauses with the same table, priority and match become one flow. */
  conjunction(table: TableName, priority: number, match: Match, clause: Extract<Action, { kind: 'conjunction' }>): void;
  group(group: Group): void;
  fact(fact: Fact): void;
}

export interface Rule<K extends RecordKind = RecordKind> {
  /** Stable name, shown in provenance. */
  readonly name: string;
  /** One call per record of this kind. */
  readonly root: K;
  run(record: RecordOf<K>, look: Lookup, emit: Emit): void;
}

/** Declares a rule with its record type inferred. */
export function rule<K extends RecordKind>(name: string, root: K, run: (record: RecordOf<K>, look: Lookup, emit: Emit) => void): Rule<K> {
  return { name, root, run };
}
