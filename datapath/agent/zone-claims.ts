/**
 * Conntrack zones that rows of OVSDB claim.
 *
 * Promises: they are read once for as long as OVSDB does not change.
 */
import type { OvsdbClient } from '../ovsdb/ovsdb-client.js';
import { readZones } from '../ovsdb/vif-watcher.js';

export class ZoneClaims {
  readonly #ovsdb: Pick<OvsdbClient, 'tables' | 'version'>;
  #read: { readonly version: number; readonly zones: ReadonlyMap<number, readonly string[]> } | undefined;

  constructor(ovsdb: Pick<OvsdbClient, 'tables' | 'version'>) {
    this.#ovsdb = ovsdb;
  }

  /** Zones claimed on this switch now, with the rows that claim them. */
  now(): ReadonlyMap<number, readonly string[]> {
    const { tables, version } = this.#ovsdb;
    if (this.#read?.version !== version) this.#read = { version, zones: tables === undefined ? new Map() : readZones(tables) };
    return this.#read.zones;
  }
}
