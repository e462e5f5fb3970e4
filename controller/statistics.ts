/**
 * What rules and interfaces have let through or not, summed over datapaths.
 *
 * Owns: reading the counters of flows as those of rules and of drop reasons.
 * Assumes: the flows are those of one owner, with counters. A rule decides forward packets; replies of what it admitted are not its own.
 */
import { DROP_REASONS, TABLES } from '../flows/pipeline/tables.js';
import type { FlowEntry } from './messages/slice.js';

export interface RuleStatistics {
  readonly uuid: string;
  /** Packets and bytes it has decided, without replies. */
  packets: number;
  bytes: number;
  /** First packets of connections it has admitted; 0 for rules without state. */
  connections: number;
}

export interface DropStatistics {
  readonly reason: string;
  readonly says: string;
  packets: number;
  bytes: number;
}

const POLICY: readonly number[] = [TABLES.EG_POLICY.id, TABLES.IN_POLICY.id];
const METRIC: readonly number[] = [TABLES.EG_METRIC.id, TABLES.IN_METRIC.id];
const REASONS = new Map(Object.entries(DROP_REASONS).map(([name, { code, says }]) => [code as number, { name, says: says }]));

/** In the order of `rules`; those that nowhere have a flow count nothing. */
export function ruleStatistics(rules: readonly string[], flows: Iterable<FlowEntry>): RuleStatistics[] {
  const counts = new Map(rules.map((uuid) => [uuid, { uuid, packets: 0, bytes: 0, connections: 0 }]));
  for (const { table, owners, text, packets = 0, bytes = 0 } of flows) {
    // A dimension of conjunctions belongs to several rules and decides nothing by itself.
    if (text.includes('conjunction(')) continue;
    for (const owner of owners) {
      const count = counts.get(owner);
      if (count === undefined) continue;
      // Packets of a connection that was noted before have a row of their own where its rule persists.
      if (METRIC.includes(table)) count.connections += text.includes('ct_label=') ? packets : 0;
      else if (POLICY.includes(table)) {
        count.packets += packets;
        count.bytes += bytes;
      }
    }
  }
  return [...counts.values()];
}

/** By reason, those that dropped nothing included. */
export function dropStatistics(flows: Iterable<FlowEntry>): DropStatistics[] {
  const drops = new Map<string, DropStatistics>();
  for (const { table, text, packets = 0, bytes = 0 } of flows) {
    const code = table === TABLES.DROP.id ? /reg15=(0x[0-9a-f]+|\d+)/.exec(text)?.[1] : undefined;
    const reason = code === undefined ? undefined : REASONS.get(Number(code) & 0xffff);
    if (reason === undefined) continue;
    const drop = drops.get(reason.name) ?? { reason: reason.name, says: reason.says, packets: 0, bytes: 0 };
    drops.set(reason.name, drop);
    drop.packets += packets;
    drop.bytes += bytes;
  }
  return [...drops.values()].sort((a, b) => (a.reason < b.reason ? -1 : 1));
}
