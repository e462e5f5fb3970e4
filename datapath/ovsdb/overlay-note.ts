/**
 * How a hypervisor was reached, as the bridge's row in OVSDB keeps it for the next process: `external_ids:hotori-overlay`.
 */
import { findBridge } from './bridge-plan.js';
import { byUuid, setKeys, type Operation } from './operations.js';
import type { Tables } from './schema.js';

const OVERLAY_KEY = 'hotori-overlay';

export function readOverlayNote(tables: Tables, bridge: string): string | undefined {
  return findBridge(tables, bridge)?.external_ids.get(OVERLAY_KEY);
}

/** Nothing when it is noted already, or there is no bridge. @param note null: none */
export function planOverlayNote(tables: Tables, bridge: string, note: string | null): Operation[] {
  const row = findBridge(tables, bridge);
  if (row === undefined || (row.external_ids.get(OVERLAY_KEY) ?? null) === note) return [];
  return [{ op: 'mutate', table: 'Bridge', where: byUuid(row._uuid), mutations: setKeys('external_ids', { [OVERLAY_KEY]: note }) }];
}
