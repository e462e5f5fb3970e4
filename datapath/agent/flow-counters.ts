/**
 * Counters of flows, read from the switch when somebody asks.
 *
 * Promises: an entry whose flow the switch does not have, or not known to have, has no counters. Only the tables concerned are read.
 */
import type { Flow } from '../../flows/openflow/flow.js';
import { OWNER_COOKIE, OWNER_MASK } from '../../flows/pipeline/cookie.js';
import { DROP_REASONS, TABLES, type DropReason } from '../../flows/pipeline/tables.js';
import type { Channel } from '../channel/contract.js';

interface Counted extends Flow {
  readonly packet_count?: bigint;
  readonly byte_count?: bigint;
}

export interface FlowCount {
  readonly packets: number;
  readonly bytes: number;
}

/** By the key of the flow. */
export async function readCounters(
  channel: Pick<Channel, 'dumpFlows'>,
  tables: ReadonlySet<number>,
  keyOf: (flow: Flow) => string,
): Promise<Map<string, FlowCount>> {
  const counts = new Map<string, FlowCount>();
  for (const table of tables) {
    await channel.dumpFlows({ cookie: OWNER_COOKIE, cookie_mask: OWNER_MASK, table }, (flows) => {
      for (const flow of flows as readonly Counted[])
        counts.set(keyOf(flow), { packets: Number(flow.packet_count ?? 0n), bytes: Number(flow.byte_count ?? 0n) });
    });
  }
  return counts;
}

/** Packets dropped on the bridge so far, by reason: as many numbers as there are reasons. */
export async function readDrops(channel: Pick<Channel, 'dumpFlows'>): Promise<ReadonlyMap<DropReason, FlowCount>> {
  const names = new Map<number, DropReason>(Object.entries(DROP_REASONS).map(([name, { code }]) => [code, name as DropReason]));
  const drops = new Map<DropReason, FlowCount>();
  await channel.dumpFlows({ cookie: OWNER_COOKIE, cookie_mask: OWNER_MASK, table: TABLES.DROP.id }, (flows) => {
    for (const flow of flows as readonly Counted[]) {
      let name: DropReason | undefined;
      for (const oxm of flow.match) if (oxm.field === 'reg15' && typeof oxm.value === 'number') name = names.get(oxm.value & 0xffff);
      if (name === undefined) continue;
      const { packets, bytes } = drops.get(name) ?? { packets: 0, bytes: 0 };
      drops.set(name, { packets: packets + Number(flow.packet_count ?? 0n), bytes: bytes + Number(flow.byte_count ?? 0n) });
    }
  });
  return drops;
}
