/**
 * One datapath, compiled where nothing is installed.
 *
 * Owns: a compiler and an interpreter for the slice of a datapath, kept up by the changes of that slice; which made-up port is whose.
 * Promises: the flows are those that the datapath's vna makes of the same slice, but for the numbers of ports and zones. Cost follows the change.
 */
import type {
  CompileRecord,
  FlowDelta,
  Gateway,
  LocalRecord,
  Neighbor,
  PhysicalPort,
  Provenance,
  Tables,
} from '../../flows/compile/contract.js';
import { createCompiler, type InspectableCompiler } from '../../flows/compile/compiler.js';
import type { Binding } from '../../flows/model/binding.js';
import type { Chassis, Encapsulation } from '../../flows/model/entities/presence.js';
import type { TracerouteMode } from '../../flows/model/entities/routing.js';
import type { Lookup } from '../../flows/pipeline/rule.js';
import { Interpreter } from '../../flows/trace/interpreter.js';
import type { RealmSite } from '../../flows/trace/explain/realm.js';
import type { SliceRecord } from '../messages/slice.js';
import type { SliceChange } from '../slices/slices.js';
import { TranslatingRouters } from '../../flows/pipeline/translating-routers.js';
import { gatewayHold, l2Of, localPort, natZones, neighborOf, ownRecords, physicalPort, tunnelPort, underlayPort } from './local-records.js';

export interface TwinOptions {
  /** Of routers that have no mode of their own. */
  readonly traceroute: TracerouteMode;
}

/** Records that are taken in one go: some milliseconds of work. */
const PART = 200;

export class DatapathTwin implements RealmSite {
  readonly datapath_uuid: string;
  readonly interpreter: Interpreter;
  private readonly compiler: InspectableCompiler;
  private readonly ports = new Map<string, number>();
  private readonly interfaces = new Map<number, string>();
  private readonly chassis = new Map<string, Chassis>();
  private readonly translating = new TranslatingRouters();
  /** Route links, each with a number of its own: another one changes no flows of these. */
  private readonly routeLinks = new Numbers();
  private readonly physicalNetworks = new Numbers();
  private own: readonly LocalRecord[] = [];
  private physicalPorts: readonly PhysicalPort[] = [];
  private gateways: readonly Gateway[] = [];
  /** By MAC. */
  private neighbors: ReadonlyMap<number, Neighbor> = new Map();
  private lastPort = 0;

  constructor(datapath_uuid: string, options: TwinOptions) {
    this.datapath_uuid = datapath_uuid;
    this.compiler = createCompiler({ traceroute: options.traceroute });
    this.interpreter = new Interpreter(this.compiler.tables);
  }

  /** Takes its whole slice, in steps. */
  *fill(slice: readonly SliceRecord[]): Generator<void> {
    const sorted = [...slice].sort((a, b) => rankOf(a) - rankOf(b));
    for (let at = 0; at < sorted.length; at += PART) {
      this.apply({ puts: sorted.slice(at, at + PART), deletes: [] });
      yield;
    }
  }

  get tables(): Tables {
    return this.compiler.tables;
  }

  get look(): Lookup {
    return this.compiler.look;
  }

  get addresses(): readonly string[] {
    return this.ownChassis?.endpoints.map(({ address }) => address) ?? [];
  }

  get tunnels(): ReadonlyMap<Encapsulation, number> {
    return new Map((this.ownChassis?.encaps ?? []).map((encap) => [encap, tunnelPort(encap)]));
  }

  get direct(): RealmSite['direct'] {
    const l2 = this.ownChassis && l2Of(this.ownChassis);
    return l2 === undefined ? undefined : { port: underlayPort, l2 };
  }

  provenance(cookie: bigint): Provenance | undefined {
    return this.compiler.provenance(cookie);
  }

  ofportOf(interfaceUuid: string): number | undefined {
    const port = this.ports.get(interfaceUuid);
    return port !== undefined && this.interfaces.has(port) ? port : undefined;
  }

  interfaceAt(ofport: number): string | undefined {
    return this.interfaces.get(ofport);
  }

  portTo(physicalNetwork: string): number | undefined {
    return this.physicalPorts.find((port) => port.physical_network === physicalNetwork)?.ofport;
  }

  physicalAt(ofport: number): string | undefined {
    return this.physicalPorts.find((port) => port.ofport === ofport)?.physical_network;
  }

  neighborWith(mac: number): string | undefined {
    return this.neighbors.get(mac)?.address;
  }

  /** Ports and zones have the same numbers. */
  interfaceInZone(zone: number): string | undefined {
    return this.interfaces.get(zone);
  }

  /** Follows a change of its slice. @returns what it changes in the tables. */
  apply(change: SliceChange): FlowDelta {
    const first = this.compile(change);
    this.interpreter.apply(first);
    const second = this.meetNeighbors();
    if (second === undefined) return first;
    this.interpreter.apply(second);
    return bothOf(first, second);
  }

  private get ownChassis(): Chassis | undefined {
    return this.chassis.get(this.datapath_uuid);
  }

  private compile({ puts, deletes }: SliceChange): FlowDelta {
    const records: CompileRecord[] = [...puts];
    const gone = [...deletes];
    for (const uuid of deletes) this.forget(uuid, gone);
    for (const record of puts) {
      if (record.kind === 'chassis') this.chassis.set(record.datapath_uuid, record);
      if (record.kind === 'binding') this.bind(record, records, gone);
    }
    const peers = [...this.chassis.values()].filter(({ datapath_uuid }) => datapath_uuid !== this.datapath_uuid);
    this.translating.update(puts, deletes);
    const zones = [...this.translating.links()].map((link) => natZones(link, this.routeLinks.of(link)));
    this.physicalPorts = (this.ownChassis?.physical_networks ?? []).map((name) => physicalPort(name, this.physicalNetworks.of(name)));
    const own = [...ownRecords(this.datapath_uuid, this.ownChassis, peers), ...zones, ...this.physicalPorts, gatewayHold];
    const kept = new Set(own.map(({ uuid }) => uuid));
    gone.push(...this.own.map(({ uuid }) => uuid).filter((uuid) => !kept.has(uuid)));
    this.own = own;
    return this.compiler.update([...records, ...own], gone);
  }

  /** Next hops of the gateways that are here now. @returns what they change; undefined: nothing. */
  private meetNeighbors(): FlowDelta | undefined {
    const gateways = this.compiler.gateways();
    if (gateways === this.gateways) return undefined;
    this.gateways = gateways;
    const wanted = gateways.filter(({ ofport }) => ofport !== null).flatMap((one) => one.next_hops.map((ip) => neighborOf(one, ip)));
    const known = new Set([...this.neighbors.values()].map(({ uuid }) => uuid));
    const kept = new Set(wanted.map(({ uuid }) => uuid));
    const gone = [...known].filter((uuid) => !kept.has(uuid));
    this.neighbors = new Map(wanted.map((one) => [one.mac, one]));
    if (gone.length === 0 && wanted.every(({ uuid }) => known.has(uuid))) return undefined;
    return this.compiler.update(wanted, gone);
  }

  private bind(binding: Binding, records: CompileRecord[], gone: string[]): void {
    const { interface_uuid, datapath_uuid } = binding;
    if (datapath_uuid !== this.datapath_uuid) {
      this.unplug(interface_uuid, gone);
      return;
    }
    const port = this.ports.get(interface_uuid) ?? ++this.lastPort;
    this.ports.set(interface_uuid, port);
    this.interfaces.set(port, interface_uuid);
    records.push(localPort(binding, port));
  }

  private forget(uuid: string, gone: string[]): void {
    if (uuid.startsWith('bind-')) this.unplug(uuid.slice('bind-'.length), gone);
    if (uuid.startsWith('ch-')) this.chassis.delete(uuid.slice('ch-'.length));
  }

  /** Its number stays its own: what is undone comes back as it was. */
  private unplug(interfaceUuid: string, gone: string[]): void {
    const port = this.ports.get(interfaceUuid);
    if (port === undefined || !this.interfaces.delete(port)) return;
    gone.push(`port-${interfaceUuid}`);
  }
}

/** Numbers from 0, given out once and for all. */
class Numbers {
  private readonly given = new Map<string, number>();

  of(name: string): number {
    const number = this.given.get(name) ?? this.given.size;
    this.given.set(name, number);
    return number;
  }
}

/** What many others refer to first, so that it is not compiled again when they come; what is an interface's, together. */
const RANKS: Partial<Record<SliceRecord['kind'], number>> = { interface: 1, mac_lease: 2, ip_lease: 3, binding: 4 };

function rankOf({ kind }: SliceRecord): number {
  return RANKS[kind] ?? 0;
}

/** One change and then another, as one: what the second takes away of the first is taken for something that was there. */
function bothOf(first: FlowDelta, second: FlowDelta): FlowDelta {
  const [flows_put, flows_deleted] = joined([first.flows_put, first.flows_deleted], [second.flows_put, second.flows_deleted]);
  const [groups_put, groups_deleted] = joined([first.groups_put, first.groups_deleted], [second.groups_put, second.groups_deleted]);
  return { flows_put, flows_deleted, groups_put, groups_deleted };
}

type PutAndDeleted<K, V> = readonly [put: ReadonlyMap<K, V>, deleted: ReadonlyMap<K, V>];

function joined<K, V>([put, deleted]: PutAndDeleted<K, V>, [morePut, moreDeleted]: PutAndDeleted<K, V>): PutAndDeleted<K, V> {
  const [puts, gone] = [new Map(put), new Map(deleted)];
  for (const [key, value] of moreDeleted) {
    puts.delete(key);
    if (!gone.has(key)) gone.set(key, value);
  }
  for (const [key, value] of morePut) {
    gone.delete(key);
    puts.set(key, value);
  }
  return [puts, gone];
}
