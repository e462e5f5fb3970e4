/**
 * Small flow tables for tests of the reconciler: flows that exist by the thousand but differ in few ways, so that random changes meet.
 */
import { flowKey } from '../../../flows/openflow/canonical.js';
import type { Action } from '../../../flows/openflow/action.js';
import type { FlowDelta, Tables } from '../../../flows/compile/contract.js';
import type { Flow, Group } from '../../../flows/openflow/flow.js';
import { makeCookie } from '../../../flows/pipeline/cookie.js';

/** A flow known by its number; `variant` is what it does: 0 and 1 load a register, more sends to the group of that number. */
export function testFlow(number: number, variant: number, cookie?: bigint): Flow {
  const table = [0, 36, 96][number % 3]!;
  const action: Action = variant < 2 ? { kind: 'set_field', field: 'reg2', value: variant } : { kind: 'group', group_id: variant };
  return {
    table,
    priority: 100,
    match: [{ field: 'reg1', value: number }],
    instructions: [{ kind: 'apply_actions', actions: [action] }],
    cookie: cookie ?? makeCookie(table, BigInt(number)),
  };
}

export function testGroup(group_id: number, variant: number): Group {
  return { group_id, type: 'all', buckets: [{ actions: [{ kind: 'output', port: 1 + variant }] }] };
}

/** Tables from flow number → variant and group number → variant. */
export function testTables(flows: ReadonlyMap<number, number>, groups: ReadonlyMap<number, number>): Tables {
  return {
    flows: new Map([...flows].map(([number, variant]) => testFlow(number, variant)).map((flow) => [flowKey(flow), flow])),
    groups: new Map([...groups].map(([id, variant]) => [id, testGroup(id, variant)])),
    meters: new Map(),
  };
}

/** What changes from one to the other, as a compiler would say it. */
export function difference(before: Tables, after: Tables): FlowDelta {
  const same = (a: unknown, b: unknown) => JSON.stringify(a, bigints) === JSON.stringify(b, bigints);
  return {
    flows_put: new Map([...after.flows].filter(([key, flow]) => !same(flow, before.flows.get(key)))),
    flows_deleted: new Map([...before.flows].filter(([key]) => !after.flows.has(key))),
    groups_put: new Map([...after.groups].filter(([id, group]) => !same(group, before.groups.get(id)))),
    groups_deleted: new Map([...before.groups].filter(([id]) => !after.groups.has(id))),
  };
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
