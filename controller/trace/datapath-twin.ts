/**
 * One datapath, compiled where nothing is installed.
 *
 * Owns: a compiler and an interpreter for the slice of a datapath, kept up by the changes of that slice; which made-up port is whose.
 * Promises: the flows are those that the datapath's vna makes of the same slice, but for the numbers of ports and zones. Cost follows the change.
 */
import type { CompileRecord, FlowDelta, LocalRecord, Provenance, Tables } from '../../flows/compile/contract.js';
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
import { l2Of, localPort, natZones, ownRecords, tunnelPort, underlayPort } from './local-records.js';

export interface TwinOptions {
  /** Of routers that have no mode of their own. */
  readonly traceroute: TracerouteMode;
}

export class DatapathTwin implements RealmSite {
  readonly datapath_uuid: string;
  readonly interpreter: Interpreter;
  private readonly compiler: InspectableCompiler;
  private readonly ports = new Map<string, number>();
  private readonly interfaces = new Map<number, string>();
  private readonly chassis = new Map<string, Chassis>();
  private readonly translating = new TranslatingRouters();
  /** Route links, each with a number of its own: another one changes no flows of these. */
  private readonly routeLinks = new Map<string, number>();
  private lastLink = 0;
  private own: readonly LocalRecord[] = [];
  private lastPort = 0;

  constructor(datapath_uuid: string, slice: readonly SliceRecord[], options: TwinOptions) {
    this.datapath_uuid = datapath_uuid;
    this.compiler = createCompiler({ traceroute: options.traceroute });
    this.compile({ puts: slice, deletes: [] });
    this.interpreter = new Interpreter(this.compiler.tables);
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

  /** Ports and zones have the same numbers. */
  interfaceInZone(zone: number): string | undefined {
    return this.interfaces.get(zone);
  }

  /** Follows a change of its slice. @returns what it changes in the tables. */
  apply(change: SliceChange): FlowDelta {
    const delta = this.compile(change);
    this.interpreter.apply(delta);
    return delta;
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
    const zones = [...this.translating.links()].map((link) => natZones(link, this.numberOf(link)));
    const own = [...ownRecords(this.datapath_uuid, this.ownChassis, peers), ...zones];
    const kept = new Set(own.map(({ uuid }) => uuid));
    gone.push(...this.own.map(({ uuid }) => uuid).filter((uuid) => !kept.has(uuid)));
    this.own = own;
    return this.compiler.update([...records, ...own], gone);
  }

  private numberOf(link: string): number {
    const number = this.routeLinks.get(link) ?? this.lastLink++;
    this.routeLinks.set(link, number);
    return number;
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
