/**
 * What a trace is explained from.
 *
 * Owns: the shape of one datapath with its compiled tables and who made them, and of all that a packet may come to.
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
  /** The interface whose conntrack zone it is. */
  interfaceInZone(zone: number): string | undefined;
}

export interface Realm extends Sites {
  readonly model: ModelView;
  at(datapathUuid: string): RealmSite | undefined;
  endingAt(address: string): RealmSite | undefined;
  sharing: Sites['sharing'];
  /** Where an interface is plugged. */
  placeOf(interfaceUuid: string): { readonly datapath_uuid: string; readonly port_name: string } | undefined;
}
