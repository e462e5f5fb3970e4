/**
 * The other hypervisors, as the slice has them.
 *
 * Owns: which of them can be reached how, from here; the MTU that fits all of these ways; what is wrong with any of them.
 * Promises: a function of this hypervisor's own facts and the chassis records held, whatever order they came in.
 */
import type { Condition, SliceRecord } from '../../controller/messages/slice.js';
import type { MacLease } from '../../flows/model/entities/interface.js';
import type { Chassis } from '../../flows/model/entities/presence.js';
import { directMtu, familyOf, overheadOf, pairingOf, type Pairing, type Side, type Unpaired } from '../../flows/pipeline/pairing.js';

export interface PeerWay {
  readonly chassis: Chassis;
  readonly way: Pairing | Unpaired;
}

/** More would not help anybody. */
const MAX_NAMED = 10;

const WORDS: Readonly<Record<Unpaired, string>> = {
  no_common_encapsulation: 'it offers no encapsulation that is offered here',
  no_common_family: 'it has no address of a family that this hypervisor has one of',
};

export class Peers {
  /** By uuid. */
  readonly #chassis = new Map<string, Chassis>();
  /** MAC leases whose MAC another segment has too, by uuid. */
  readonly #shared = new Map<string, MacLease>();
  #areKnown = false;
  readonly #own: () => Side | undefined;
  readonly #onChange: () => void;

  /** @param onChange The peers, or the ways to them, may differ now. */
  constructor(own: () => Side | undefined, onChange: () => void) {
    this.#own = own;
    this.#onChange = onChange;
  }

  apply(puts: readonly SliceRecord[], deletes: readonly string[]): void {
    let differs = false;
    for (const uuid of deletes) if (this.#chassis.delete(uuid) || this.#shared.delete(uuid)) differs = true;
    for (const record of puts) {
      if (record.kind === 'mac_lease' && (record.mac_shared ? !this.#shared.has(record.uuid) : this.#shared.delete(record.uuid))) {
        if (record.mac_shared) this.#shared.set(record.uuid, record);
        differs = true;
      }
      if (record.kind !== 'chassis') continue;
      this.#chassis.set(record.uuid, record);
      differs = true;
    }
    if (differs) this.#onChange();
  }

  /** Whether a whole slice has come. */
  get areKnown(): boolean {
    return this.#areKnown;
  }

  /** The whole slice. */
  replace(records: readonly SliceRecord[]): void {
    this.#areKnown = true;
    const kept = new Set(records.map(({ uuid }) => uuid));
    this.apply(
      records,
      [...this.#chassis.keys(), ...this.#shared.keys()].filter((uuid) => !kept.has(uuid)),
    );
  }

  /** All but this hypervisor, in uuid order. */
  ways(): PeerWay[] {
    const own = this.#own();
    if (own === undefined) return [];
    return [...this.#chassis.values()]
      .filter(({ datapath_uuid }) => datapath_uuid !== own.datapath_uuid)
      .sort((a, b) => (a.uuid < b.uuid ? -1 : 1))
      .map((chassis) => ({ chassis, way: pairingOf(own, chassis) }));
  }

  /** uuids of the datapaths that frames can go to without a tunnel. */
  direct(): string[] {
    const own = this.#own();
    if (own === undefined) return [];
    return this.ways().flatMap(({ chassis }) => (directMtu(own, chassis) === undefined ? [] : [chassis.datapath_uuid]));
  }

  /**
   * Bytes of the longest IP packet that fits every way there is, and every way there could be from here over an underlay no narrower than our own;
   * undefined where there is no overlay.
   */
  mtu(): number | undefined {
    const own = this.#own();
    if (own === undefined || own.endpoints.length === 0) return undefined;
    const possible = own.endpoints.flatMap((end) => own.encaps.map((encap) => end.mtu - overheadOf(encap, familyOf(end))));
    const actual = this.ways().flatMap(({ way }) => (typeof way === 'string' ? [] : [way.mtu]));
    return Math.min(...possible, ...actual);
  }

  /** Why peers cannot be reached, or not as they could be. */
  conditions(): Condition[] {
    const unpaired = this.ways().flatMap(({ chassis, way }): Condition[] => {
      if (typeof way !== 'string') return [];
      const { datapath_uuid, node_id } = chassis;
      return [{ code: way, message: `no tunnel to ${node_id}: ${WORDS[way]}`, uuids: [datapath_uuid] }];
    });
    const direct = this.direct();
    if (direct.length === 0 || this.#shared.size === 0) return unpaired;
    const leases = [...this.#shared.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1)).slice(0, MAX_NAMED);
    const macs = [...new Set(leases.map(({ mac_address }) => mac_address))];
    const message = `segments with ${macs.join(', ')} go through tunnels to ${direct.join(', ')} on the same L2: other segments have these MACs too`;
    return [...unpaired, { code: 'shared_macs', message, uuids: leases.map(({ interface_uuid }) => interface_uuid) }];
  }
}
