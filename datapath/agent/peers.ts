/**
 * The other hypervisors, as the slice has them.
 *
 * Owns: which of them can be reached how, from here; the MTU that fits all of these ways; what is wrong with any of them.
 * Promises: a function of this hypervisor's own facts and the records held, whatever order they came in.
 */
import type { Condition, SliceRecord } from '../../controller/messages/slice.js';
import type { DatapathLink } from '../../flows/model/entities/datapath.js';
import type { MacLease } from '../../flows/model/entities/interface.js';
import { chassisUuid, type Chassis } from '../../flows/model/entities/presence.js';
import { pairOf, type Tunnel } from '../../flows/model/entities/tunnel.js';
import { linkTarget } from '../../flows/model/indexes.js';
import {
  directMtu,
  familyOf,
  overheadOf,
  pairingOf,
  type Pairing,
  type Side,
  type Terms,
  type Unpaired,
} from '../../flows/pipeline/pairing.js';

export interface PeerWay {
  readonly chassis: Chassis;
  readonly way: Pairing | Unpaired;
}

/** A datapath's row for what may cross, in the explicit mode. */
type Row = DatapathLink;

/** More would not help anybody. */
const MAX_NAMED = 10;

const WORDS: Readonly<Record<Unpaired, string>> = {
  no_common_encapsulation: 'it offers no encapsulation that is offered here',
  no_common_family: 'its address is not of the family of ours',
  encapsulation_not_offered: 'the encapsulation that their tunnel asks for is not offered at both ends',
};

export class Peers {
  /** By uuid. */
  readonly #chassis = new Map<string, Chassis>();
  /** MAC leases whose MAC another segment has too, by uuid. */
  readonly #shared = new Map<string, MacLease>();
  /** By uuid. */
  readonly #rows = new Map<string, Row>();
  /** By the pair of datapaths. */
  readonly #tunnels = new Map<string, Tunnel>();
  readonly #held: readonly Map<string, unknown>[] = [this.#chassis, this.#shared, this.#rows];
  #areKnown = false;
  readonly #mode: 'auto' | 'explicit';
  readonly #own: () => Side | undefined;
  readonly #onChange: () => void;

  /** @param onChange The peers, or the ways to them, may differ now. */
  constructor(mode: 'auto' | 'explicit', own: () => Side | undefined, onChange: () => void) {
    this.#mode = mode;
    this.#own = own;
    this.#onChange = onChange;
  }

  apply(puts: readonly SliceRecord[], deletes: readonly string[]): void {
    let differs = false;
    for (const uuid of deletes) if (this.#forget(uuid)) differs = true;
    for (const record of puts) if (this.#take(record)) differs = true;
    if (differs) this.#onChange();
  }

  /** @returns whether it concerns us */
  #take(record: SliceRecord): boolean {
    switch (record.kind) {
      case 'mac_lease':
        if (!record.mac_shared) return this.#shared.delete(record.uuid);
        this.#shared.set(record.uuid, record);
        return true;
      case 'chassis':
        this.#chassis.set(record.uuid, record);
        return true;
      case 'tunnel':
        this.#tunnels.set(pairOf(record.datapath_uuid, record.peer_datapath_uuid), record);
        return true;
      case 'datapath_network':
      case 'datapath_segment':
      case 'datapath_route_link':
        this.#rows.set(record.uuid, record);
        return this.#mode === 'explicit';
      default:
        return false;
    }
  }

  #forget(uuid: string): boolean {
    for (const [pair, tunnel] of this.#tunnels) if (tunnel.uuid === uuid) return this.#tunnels.delete(pair);
    return this.#held.some((records) => records.delete(uuid));
  }

  /** What the others are told of this hypervisor; undefined while they are told nothing. */
  get told(): Chassis | undefined {
    const own = this.#own();
    return own && this.#chassis.get(chassisUuid(own.datapath_uuid));
  }

  /** uuids of the datapaths that are told of this one, and of this one. */
  audience(): string[] {
    return [...this.#chassis.values()].map(({ datapath_uuid }) => datapath_uuid).sort();
  }

  /** Whether a whole slice has come. */
  get areKnown(): boolean {
    return this.#areKnown;
  }

  /** The whole slice. */
  replace(records: readonly SliceRecord[]): void {
    this.#areKnown = true;
    const kept = new Set(records.map(({ uuid }) => uuid));
    const known = [...this.#held.flatMap((held) => [...held.keys()]), ...[...this.#tunnels.values()].map(({ uuid }) => uuid)];
    this.apply(
      records,
      known.filter((uuid) => !kept.has(uuid)),
    );
  }

  /** To all but this hypervisor, in uuid order; in the explicit mode one for each pair of addresses. */
  ways(own = this.#own()): PeerWay[] {
    if (own === undefined) return [];
    const ends = this.#mode === 'explicit' ? this.#ends(own.datapath_uuid) : undefined;
    return [...this.#chassis.values()]
      .filter(({ datapath_uuid }) => datapath_uuid !== own.datapath_uuid)
      .sort((a, b) => (a.uuid < b.uuid ? -1 : 1))
      .flatMap((chassis): PeerWay[] => {
        const tunnel = this.#tunnelTo(own, chassis);
        const pairs: readonly Terms['ends'][] = ends === undefined ? [undefined] : (ends.get(chassis.datapath_uuid) ?? []);
        return pairs.map((pair) => ({ chassis, way: pairingOf(own, chassis, { ends: pair, tunnel }) }));
      });
  }

  #tunnelTo(own: Side, { datapath_uuid }: Chassis): Tunnel | undefined {
    return this.#tunnels.get(pairOf(own.datapath_uuid, datapath_uuid));
  }

  /** The pairs of addresses that rows of both ends give for something that crosses, by the other datapath. */
  #ends(ownDatapath: string): ReadonlyMap<string, readonly NonNullable<Terms['ends']>[]> {
    const local = new Map(this.#rowsOf(ownDatapath).map((row) => [linkTarget(row), row.endpoint_address]));
    const pairs = new Map<string, Map<string, NonNullable<Terms['ends']>>>();
    for (const row of this.#rows.values()) {
      const [here, there] = [local.get(linkTarget(row)), row.endpoint_address];
      if (row.datapath_uuid === ownDatapath || here === undefined || here === null || there === null) continue;
      const known = pairs.get(row.datapath_uuid) ?? new Map<string, NonNullable<Terms['ends']>>();
      pairs.set(row.datapath_uuid, known.set(`${here} ${there}`, { local: here, remote: there }));
    }
    return new Map(
      [...pairs].map(([datapath, known]) => [datapath, [...known].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, pair]) => pair)]),
    );
  }

  #rowsOf(datapath: string): Row[] {
    return [...this.#rows.values()].filter(({ datapath_uuid }) => datapath_uuid === datapath);
  }

  /** uuids of the datapaths that frames can go to without a tunnel. */
  direct(): string[] {
    const own = this.#own();
    if (own === undefined) return [];
    const others = [...this.#chassis.values()].filter(({ datapath_uuid }) => datapath_uuid !== own.datapath_uuid);
    return others
      .filter((chassis) => directMtu(own, chassis, { tunnel: this.#tunnelTo(own, chassis) }) !== undefined)
      .map(({ datapath_uuid }) => datapath_uuid)
      .sort();
  }

  /**
   * Bytes of the longest IP packet that fits every way there is, and every way there could be from here over an underlay no narrower than our own;
   * undefined where there is no overlay.
   */
  mtu(): number | undefined {
    const own = this.#own();
    if (own === undefined) return undefined;
    const ends =
      this.#mode === 'auto'
        ? own.endpoints
        : this.#rowsOf(own.datapath_uuid).flatMap(({ endpoint_address: address }) =>
            address === null || own.underlay === null ? [] : [{ ...own.underlay, address }],
          );
    const possible = ends.flatMap((end) => own.encaps.map((encap) => end.mtu - overheadOf(encap, familyOf(end))));
    const actual = this.ways().flatMap(({ way }) => (typeof way === 'string' ? [] : [way.mtu]));
    const all = [...possible, ...actual];
    return all.length === 0 ? undefined : Math.min(...all);
  }

  /** Why peers cannot be reached, or not as they could be. */
  conditions(): Condition[] {
    const unpaired = this.ways().flatMap(({ chassis, way }): Condition[] => {
      if (typeof way !== 'string') return [];
      const { datapath_uuid, node_id } = chassis;
      return [{ code: way, message: `no tunnel to ${node_id}: ${WORDS[way]}`, uuids: [datapath_uuid] }];
    });
    return [...unpaired, ...this.#modeConditions(), ...this.#rowConditions(), ...this.#sharedConditions()];
  }

  /** A hypervisor in another mode has other ideas of what crosses. */
  #modeConditions(): Condition[] {
    const own = this.#own()?.datapath_uuid;
    const others = [...this.#chassis.values()].filter(
      ({ datapath_uuid, underlay, encaps }) =>
        datapath_uuid !== own && (underlay === null) === (this.#mode === 'explicit') && encaps.length > 0,
    );
    if (own === undefined || others.length === 0) return [];
    const names = others.map(({ node_id }) => node_id).sort();
    const message = `overlay.mode is ${this.#mode} here and is not on ${names.slice(0, MAX_NAMED).join(', ')}`;
    return [{ code: 'overlay_modes_differ', message, uuids: others.map(({ datapath_uuid }) => datapath_uuid).sort() }];
  }

  /** What the rows of this hypervisor say that cannot be. */
  #rowConditions(): Condition[] {
    const own = this.#own();
    if (own === undefined || this.#mode === 'auto') return [];
    const rows = this.#rowsOf(own.datapath_uuid).sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
    const [lost, strange] = [
      rows.filter(({ endpoint_address }) => endpoint_address === null),
      rows.filter(
        ({ endpoint_address: at }) => at !== null && own.endpoints.length > 0 && !own.endpoints.some(({ address }) => address === at),
      ),
    ];
    const names = (some: readonly Row[]) => some.slice(0, MAX_NAMED).map(linkTarget).join(', ');
    const uuids = (some: readonly Row[]) => [...new Set(some.slice(0, MAX_NAMED).map(({ interface_uuid }) => interface_uuid))];
    const conditions: Condition[] = [];
    if (lost.length > 0)
      conditions.push({
        code: 'no_endpoint',
        message: `${names(lost)} cross nowhere from here: the interface they are to go through is not on this hypervisor or has no address`,
        uuids: uuids(lost),
      });
    if (strange.length > 0)
      conditions.push({
        code: 'endpoint_elsewhere',
        message: `${names(strange)} are to be reached at ${strange[0]!.endpoint_address}, which is none of the addresses here: ${own.endpoints.map(({ address }) => address).join(', ')}`,
        uuids: uuids(strange),
      });
    return conditions;
  }

  #sharedConditions(): Condition[] {
    const direct = this.direct();
    if (direct.length === 0 || this.#shared.size === 0) return [];
    const leases = [...this.#shared.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1)).slice(0, MAX_NAMED);
    const macs = [...new Set(leases.map(({ mac_address }) => mac_address))];
    const message = `segments with ${macs.join(', ')} go through tunnels to ${direct.join(', ')} on the same L2: other segments have these MACs too`;
    return [{ code: 'shared_macs', message, uuids: leases.map(({ interface_uuid }) => interface_uuid) }];
  }
}
