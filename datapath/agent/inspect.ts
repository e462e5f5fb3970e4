/**
 * The flows of a bridge in the user's words.
 *
 * Owns: the list behind `vnctl flows`: what is wanted on the bridge, with table names and who made it.
 */
import type { FlowEntry } from '../../controller/messages/slice.js';
import type { Compiler } from '../../flows/compile/contract.js';
import { flowToString } from '../../flows/openflow/text-flow.js';
import type { Flow } from '../../flows/openflow/flow.js';
import { flowKey } from '../../flows/openflow/canonical.js';
import { TABLES } from '../../flows/pipeline/tables.js';
import type { Channel } from '../channel/contract.js';
import { readCounters } from './flow-counters.js';

const TABLE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(TABLES).map(([name, { id }]) => [id, name]));

/** Flows written between two breaths of the event loop. */
const STRIDE = 1_000;

/** By table and falling priority; with `owner`, only those made from that entity, and with their counters while the switch is connected. */
export async function listFlows(
  compiler: Compiler,
  owner: string | undefined,
  channel?: Pick<Channel, 'dumpFlows'>,
): Promise<readonly FlowEntry[]> {
  const flows = [...compiler.tables.flows.values()].sort((a, b) => a.table - b.table || b.priority - a.priority);
  const listed: Flow[] = [];
  const entries: FlowEntry[] = [];
  for (const [i, flow] of flows.entries()) {
    if (i % STRIDE === STRIDE - 1) await new Promise((resolve) => setImmediate(resolve));
    const provenance = compiler.provenance(flow.cookie);
    if (owner !== undefined && provenance?.uuids.includes(owner) !== true) continue;
    listed.push(flow);
    entries.push(toEntry(flow, provenance?.rule ?? '', provenance?.uuids ?? []));
  }
  if (owner === undefined || channel === undefined) return entries;
  const counts = await readCounters(channel, new Set(listed.map(({ table }) => table)), flowKey);
  return entries.map((entry, i) => ({ ...entry, ...counts.get(flowKey(listed[i]!)) }));
}

function toEntry(flow: Flow, rule: string, owners: readonly string[]): FlowEntry {
  const { table, priority, cookie } = flow;
  return {
    table,
    table_name: TABLE_NAMES.get(table) ?? String(table),
    priority,
    text: flowToString(flow),
    cookie: `0x${cookie.toString(16).padStart(16, '0')}`,
    owners,
    rule,
  };
}
