/**
 * This hypervisor's part in physical networks.
 *
 * Owns: the ports to the operator's bridges, made for the physical networks of the slice that `bridge_mappings` names; who is known outside.
 * Promises: `records` is what the compiler is given. What is known of neighbours is noted with the ports, so that a restarted process finds its flows as they are.
 */
import type { Condition, SliceAttachment, SliceRecord } from '../../controller/messages/slice.js';
import type { Compiler, LocalRecord, Neighbor } from '../../flows/compile/contract.js';
import { physicalNameOf } from '../../flows/model/gateways.js';
import { formatMac, parseMac } from '../../flows/net/mac.js';
import type { Action } from '../../flows/openflow/action.js';
import { neighborUuid, physicalPortUuid } from '../../flows/pipeline/outside.js';
import type { OvsdbClient } from '../ovsdb/ovsdb-client.js';
import { PhysicalManager } from '../ovsdb/physical-manager.js';
import { linksOf, type Wanted } from '../ovsdb/physical-plan.js';
import type { TunnelState } from '../ovsdb/tunnel-plan.js';
import type { PuntedFrame } from '../respond/contract.js';
import type { Clock } from './clock.js';
import { GatewayDuty } from './gateway-duty.js';
import type { AgentLog } from './log.js';
import { Neighbors } from './neighbors.js';
import { PortNumbers } from './port-numbers.js';
import type { ProbedWay } from './prober.js';

export interface PhysicalParts {
  readonly bridge: string;
  /** Physical network → bridge. */
  readonly mappings: Readonly<Record<string, string>>;
  readonly ovsdb: OvsdbClient;
  readonly compiler: () => Compiler;
  /** Sends a frame out of a port. @returns false when there is no connection */
  readonly send: (frame: Uint8Array, ofport: number) => boolean;
  readonly datapath: () => string | undefined;
  readonly ways: () => readonly ProbedWay[];
  readonly inject: (frame: Uint8Array, actions: readonly Action[]) => boolean;
  /** Tells who sent a packet, which was handed over, that it does not get there. */
  readonly refuse: (frame: PuntedFrame) => void;
  /** Whether there is a connection to the switch. */
  readonly isUp: () => boolean;
  /** `records` may differ now. */
  readonly onChange: () => void;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: AgentLog;
}

/** More are found again by asking. */
const MAX_NOTED = 256;

export class Physical {
  readonly #parts: PhysicalParts;
  readonly #manager: PhysicalManager;
  readonly #neighbors: Neighbors;
  readonly #duty: GatewayDuty;
  #attachment: Pick<SliceAttachment, 'holdGateway'> | undefined;
  readonly #numbers = new PortNumbers<TunnelState>();
  /** By network, the name of the physical network it is. */
  readonly #named = new Map<string, string>();
  #isKnown = false;

  constructor(parts: PhysicalParts) {
    this.#parts = parts;
    const { bridge, ovsdb, onChange, log, send, clock } = parts;
    this.#manager = new PhysicalManager(ovsdb, { bridge, log, onChange, wanted: () => this.#wanted(), notes: () => this.#notes() });
    this.#neighbors = new Neighbors({
      gateways: () => parts.compiler().gateways(),
      send,
      refuse: parts.refuse,
      before: () => this.#noted(),
      onChange: () => {
        onChange();
        this.#manager.look();
      },
      clock,
    });
    this.#duty = new GatewayDuty({
      gateways: () => parts.compiler().gateways(),
      datapath: parts.datapath,
      ways: parts.ways,
      send: parts.inject,
      hold: (interfaceUuid) => this.#attachment?.holdGateway(interfaceUuid) ?? Promise.reject(new Error('no vnmgr is attached')),
      isUp: parts.isUp,
      hasLink: (physical) => this.#hasLink(physical),
      onChange,
      clock,
      random: parts.random,
      log: parts.log,
    });
  }

  /** vnmgr, while it is there. */
  set attachment(attachment: Pick<SliceAttachment, 'holdGateway'> | undefined) {
    this.#attachment = attachment;
  }

  heardProbe(frame: Uint8Array): void {
    this.#duty.heard(frame);
  }

  /** Whether some NIC of the bridge has a link, as far as can be told. */
  #hasLink(physical: string): boolean {
    const { mappings, ovsdb } = this.#parts;
    const bridge = mappings[physical];
    const links = bridge === undefined || ovsdb.tables === undefined ? [] : linksOf(ovsdb.tables, bridge);
    return links.length === 0 || links.some((state) => state !== 'down');
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#manager.run(signal), this.#neighbors.run(signal), this.#duty.run(signal)]);
  }

  apply(puts: readonly SliceRecord[], deletes: readonly string[]): void {
    if (this.#name(puts, deletes)) this.#manager.look();
  }

  /** @returns whether what is wanted differs */
  #name(puts: readonly SliceRecord[], deletes: readonly string[]): boolean {
    let differs = false;
    for (const uuid of deletes) differs = this.#named.delete(uuid) || differs;
    for (const record of puts) {
      if (record.kind !== 'network') continue;
      const name = physicalNameOf(record);
      if (name === this.#named.get(record.uuid)) continue;
      differs = true;
      if (name === undefined) this.#named.delete(record.uuid);
      else this.#named.set(record.uuid, name);
    }
    return differs;
  }

  /** The whole slice. */
  replace(records: readonly SliceRecord[]): void {
    this.#isKnown = true;
    const kept = new Set(records.map(({ uuid }) => uuid));
    const gone = [...this.#named.keys()].filter((uuid) => !kept.has(uuid));
    this.#name(records, gone);
    // What nobody wants any more may be there from before.
    this.#manager.look();
  }

  records(): LocalRecord[] {
    const ports = [...this.#numbers.correct(this.#manager.states(this.#mapped()))].flatMap(([name, { ofport }]): LocalRecord[] =>
      ofport === null ? [] : [{ kind: 'physical_port', uuid: physicalPortUuid(name), physical_network: name, ofport }],
    );
    return [...ports, ...this.#duty.records(), ...this.#neighbors.records()];
  }

  /** What is wanted on the bridge differs: gateways may have come or gone. */
  compiled(): void {
    this.#duty.gatewaysChanged();
    this.#neighbors.gatewaysChanged();
  }

  take(frame: PuntedFrame): void {
    this.#neighbors.take(frame);
  }

  /** @param told by name, the ports the switch has now */
  learnPorts(told: ReadonlyMap<string, number>): void {
    this.#numbers.learn(this.#manager.states(this.#mapped()), told);
  }

  get isNumberPending(): boolean {
    return this.#numbers.arePending;
  }

  conditions(): Condition[] {
    const conditions: Condition[] = [];
    if (this.#manager.error !== null)
      conditions.push({
        code: 'no_physical_port',
        message: `ports to physical networks cannot be made: ${this.#manager.error}`,
        uuids: [],
      });
    for (const { address, interface_uuid } of this.#neighbors.silent())
      conditions.push({ code: 'silent_next_hop', message: `${address} does not answer ${interface_uuid}`, uuids: [interface_uuid] });
    return conditions;
  }

  /** All that could be: a port that is there is read before the slice is known. */
  #mapped(): Wanted {
    return new Map(Object.entries(this.#parts.mappings));
  }

  #wanted(): Wanted | undefined {
    if (!this.#isKnown) return undefined;
    const names = new Set(this.#named.values());
    return new Map(Object.entries(this.#parts.mappings).filter(([name]) => names.has(name)));
  }

  /** Neighbours as text, `mac lease,address,MAC`, for each physical network that has its gateway here. */
  #notes(): ReadonlyMap<string, string> {
    const { compiler } = this.#parts;
    const ofports = new Map(
      compiler()
        .gateways()
        .map(({ mac_lease_uuid, ofport }) => [mac_lease_uuid, ofport]),
    );
    const neighbors = this.#neighbors.records();
    return new Map(
      [...this.#manager.states(this.#mapped())].map(([name, { ofport }]) => {
        const here = neighbors.filter(({ mac_lease_uuid }) => ofports.get(mac_lease_uuid) === ofport).slice(0, MAX_NOTED);
        return [name, here.map(({ mac_lease_uuid, address, mac }) => `${mac_lease_uuid},${address},${formatMac(mac)}`).join(' ')];
      }),
    );
  }

  #noted(): Neighbor[] {
    return [...this.#manager.states(this.#mapped()).values()].flatMap(({ note }) =>
      note.split(' ').flatMap((text): Neighbor[] => {
        const [mac_lease_uuid, address, mac] = text.split(',');
        if (mac_lease_uuid === undefined || address === undefined || mac === undefined) return [];
        return [{ kind: 'neighbor', uuid: neighborUuid(mac_lease_uuid, address), mac_lease_uuid, address, mac: parseMac(mac) }];
      }),
    );
  }
}
