/**
 * The flow that decided.
 *
 * Owns: finding, among the steps of a trace, the flow that wrote why a packet is dropped or refused, and flows of a table it hit.
 */
import type { Provenance } from '../../compile/contract.js';
import { REGISTERS } from '../../pipeline/registers.js';
import { TABLES, type TableName } from '../../pipeline/tables.js';
import type { Microflow } from '../microflow.js';
import type { TableStep, Trace } from '../result.js';
import { dropReason, tableName } from './names.js';
import type { RealmSite } from './realm.js';

export interface Decider {
  readonly table: string;
  readonly cookie: bigint;
  readonly made: Provenance | undefined;
  /** The packet as it came to the table. */
  readonly packet: Microflow;
}

/** @param pass in which it happened @param end the packet then */
export function deciderOf(trace: Trace, pass: number, end: Microflow, site: RealmSite): Decider | undefined {
  const isDropped = dropReason(end) !== undefined;
  let current: TableStep | undefined;
  let found: TableStep | undefined;
  for (const step of trace.steps) {
    if (step.pass !== pass) continue;
    if (step.kind === 'table') current = step;
    const wrote = step.kind === 'action' && step.change?.field === REGISTERS.drop_reason.field;
    if (wrote || (!isDropped && step.kind === 'table')) found = current;
  }
  return found && described(found, site);
}

/** The last flow hit in a table, in whatever pass. */
export function hitIn(trace: Trace, table: TableName, site: RealmSite): Decider | undefined {
  const step = trace.steps.findLast(
    (one): one is TableStep => one.kind === 'table' && one.table === TABLES[table].id && one.hit !== undefined,
  );
  return step && described(step, site);
}

function described({ table, hit, packet }: TableStep, site: RealmSite): Decider | undefined {
  if (packet === undefined) return undefined;
  const cookie = hit?.flow.cookie ?? 0n;
  return { table: tableName(table), cookie, made: site.provenance(cookie), packet };
}
