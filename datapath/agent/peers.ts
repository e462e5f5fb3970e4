/**
 * The other hypervisors, as the slice has them.
 *
 * Owns: which of them can be reached how, from here; the MTU that fits all of these ways; what is wrong with any of them.
 * Promises: a function of this hypervisor's own facts and the chassis records held, whatever order they came in.
 */
import type { Condition, SliceRecord } from '../../controller/messages/slice.js';
import type { Chassis } from '../../flows/model/entities.js';
import { familyOf, overheadOf, pairingOf, type Pairing, type Side, type Unpaired } from '../../flows/pipeline/pairing.js';

export interface PeerWay {
  readonly chassis: Chassis;
  readonly way: Pairing | Unpaired;
}

const WORDS: Readonly<Record<Unpaired, string>> = {
  no_common_encapsulation: 'it offers no encapsulation that is offered here',
  no_common_family: 'it has no address of a family that this hypervisor has one of',
};

export class Peers {
  /** By uuid. */
  readonly #chassis = new Map<string, Chassis>();
  readonly #own: () => Side | undefined;
  readonly #onChange: () => void;

  /** @param onChange The peers, or the ways to them, may differ now. */
  constructor(own: () => Side | undefined, onChange: () => void) {
    this.#own = own;
    this.#onChange = onChange;
  }

  apply(puts: readonly SliceRecord[], deletes: readonly string[]): void {
    let differs = false;
    for (const uuid of deletes) if (this.#chassis.delete(uuid)) differs = true;
    for (const record of puts) {
      if (record.kind !== 'chassis') continue;
      this.#chassis.set(record.uuid, record);
      differs = true;
    }
    if (differs) this.#onChange();
  }

  /** The whole slice. */
  replace(records: readonly SliceRecord[]): void {
    const kept = new Set(records.map(({ uuid }) => uuid));
    this.apply(
      records,
      [...this.#chassis.keys()].filter((uuid) => !kept.has(uuid)),
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

  /** Why peers cannot be reached. */
  conditions(): Condition[] {
    return this.ways().flatMap(({ chassis, way }): Condition[] => {
      if (typeof way !== 'string') return [];
      const { datapath_uuid, node_id } = chassis;
      return [{ code: way, message: `no tunnel to ${node_id}: ${WORDS[way]}`, uuids: [datapath_uuid] }];
    });
  }
}
