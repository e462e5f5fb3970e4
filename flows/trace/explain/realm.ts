/**
 * What a trace is explained from.
 *
 * Owns: the shape of one datapath with its compiled tables and who made them, and of all that a packet may come to; compiling a datapath when something
 * comes to it.
 * Assumes: datapaths are compiled from slices of one model, that of `model`.
 */
import type { Provenance } from '../../compile/contract.js';
import type { ModelView } from '../../model/view.js';
import type { Lookup } from '../../pipeline/rule.js';
import type { Site, Sites } from '../fabric.js';

export interface RealmSite extends Site {
  readonly look: Lookup;
  provenance(cookie: bigint): Provenance | undefined;
  /** Port of an interface that is plugged here. */
  ofportOf(interfaceUuid: string): number | undefined;
  interfaceAt(ofport: number): string | undefined;
  /** Port to a physical network. */
  portTo(physicalNetwork: string): number | undefined;
  /** The physical network that a port leads to. */
  physicalAt(ofport: number): string | undefined;
  /** The address of a next hop outside whose MAC was made up. */
  neighborWith(mac: number): string | undefined;
  /** The interface whose conntrack zone it is. */
  interfaceInZone(zone: number): string | undefined;
}

/** Thrown by a realm that is asked for a datapath which is not compiled. */
export class NotCompiled extends Error {
  readonly datapath_uuid: string;

  constructor(datapath_uuid: string) {
    super(`${datapath_uuid} is not compiled`);
    this.datapath_uuid = datapath_uuid;
  }
}

/** Looks at a realm, compiling what is needed for that, step by step. `look` runs again each time, from the beginning. */
export function* compiling<T>(realm: Realm, look: () => T): Generator<void, T> {
  for (;;) {
    try {
      return look();
    } catch (error) {
      if (!(error instanceof NotCompiled)) throw error;
      yield* realm.compile(error.datapath_uuid);
    }
  }
}

export interface Realm extends Sites {
  readonly model: ModelView;
  /** undefined: there is no such datapath. Throws NotCompiled, as do `endingAt` and `sharing`. */
  at(datapathUuid: string): RealmSite | undefined;
  /** Makes `at` give it, in steps. */
  compile(datapathUuid: string): Generator<void>;
  /** Datapaths on a physical network. */
  on(physicalNetwork: string): Iterable<string>;
  endingAt(address: string): RealmSite | undefined;
  sharing: Sites['sharing'];
  /** Where an interface is plugged. */
  placeOf(interfaceUuid: string): { readonly datapath_uuid: string; readonly port_name: string } | undefined;
}
