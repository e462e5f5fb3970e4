/**
 * The conntrack zones of routers, as the bridge's row in OVSDB keeps them: `external_ids:hotori-nat-<route link>` is `<zone> <zone>`.
 *
 * Promises: what could not be zones is not read.
 */
import { findBridge } from './bridge-plan.js';
import { byUuid, setKeys } from './operations.js';
import { OvsdbError } from './ovsdb-error.js';
import type { OvsdbClient } from './ovsdb-client.js';
import type { Tables } from './schema.js';

const PREFIX = 'hotori-nat-';

export interface ZonePair {
  readonly source_zone: number;
  readonly target_zone: number;
}

/** By route link. */
export function readNatClaims(tables: Tables, bridge: string): ReadonlyMap<string, ZonePair> {
  return claimsIn(findBridge(tables, bridge)?.external_ids ?? new Map<string, string>());
}

/** Of every bridge: what names each claim, with its zones. */
export function* allNatClaims(tables: Tables): Generator<readonly [row: string, pair: ZonePair]> {
  for (const { name, external_ids } of tables.Bridge.values())
    for (const [link, pair] of claimsIn(external_ids)) yield [natRow(name, link), pair];
}

/** Names a claim. */
export const natRow = (bridge: string, routeLink: string) => `${bridge} ${routeLink}`;

/** @throws OvsdbError `no_row` while there is no such bridge, or what OvsdbClient.transact throws */
export async function writeNatClaim(
  client: OvsdbClient,
  bridge: string,
  routeLink: string,
  pair: ZonePair | null,
  signal: AbortSignal,
): Promise<void> {
  const row = client.tables === undefined ? undefined : findBridge(client.tables, bridge);
  if (row === undefined) throw new OvsdbError('no_row', `there is no bridge ${bridge}`);
  const value = pair === null ? null : `${pair.source_zone} ${pair.target_zone}`;
  const mutations = setKeys('external_ids', { [PREFIX + routeLink]: value });
  await client.transact([{ op: 'mutate', table: 'Bridge', where: byUuid(row._uuid), mutations }], signal);
}

function claimsIn(externalIds: ReadonlyMap<string, string>): Map<string, ZonePair> {
  const claims = new Map<string, ZonePair>();
  for (const [key, value] of externalIds) {
    const zones = /^([1-9]\d{0,4}) ([1-9]\d{0,4})$/.exec(value)?.slice(1).map(Number);
    if (!key.startsWith(PREFIX) || zones === undefined || zones.some((zone) => zone > 0xffff)) continue;
    claims.set(key.slice(PREFIX.length), { source_zone: zones[0]!, target_zone: zones[1]! });
  }
  return claims;
}
