/**
 * Values for tests of stores.
 */
import type { Entity } from '../../flows/model/entities.js';
import type { StoredChange } from '../../controller/store/contract.js';

export function segment(uuid: string, display_name: string): Entity {
  const at = '2026-01-01T00:00:00.000Z';
  return {
    kind: 'segment',
    uuid,
    display_name,
    mode: 'virtual',
    learning: false,
    segment_key: 1,
    vrf_key: 1,
    created_at: at,
    updated_at: at,
  };
}

export function change(revision: number, puts: readonly Entity[], deletes: readonly string[] = [], counters = {}): StoredChange {
  return { revision, puts, deletes, counters, requests: [] };
}
