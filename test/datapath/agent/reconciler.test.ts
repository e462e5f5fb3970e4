import { flowKey } from '../../../flows/openflow/canonical.js';
import type { Tables } from '../../../flows/compile/contract.js';
import { canaryFlow, isCanary } from '../../../datapath/agent/canary.js';
import type { TableMod } from '../../../datapath/channel/contract.js';
import { AUDIT_MS, Bench, EMPTY, METER } from './bench.js';
import { difference, testFlow, testGroup, testTables } from './tables.js';

const kinds = (mods: readonly TableMod[]): string[] =>
  mods.map((mod) => {
    if (mod.kind === 'flow_add' && isCanary(mod.flow)) return 'canary';
    return 'flow' in mod ? `${mod.kind} ${mod.flow.table}` : `${mod.kind} ${'group' in mod ? mod.group.group_id : mod.group_id}`;
  });

const tables = (flows: Record<number, number>, groups: Record<number, number> = {}): Tables => {
  const numbers = (record: Record<number, number>): Map<number, number> => new Map(Object.entries(record).map(([k, v]) => [Number(k), v]));
  return testTables(numbers(flows), numbers(groups));
};

describe('the reconciler', () => {
  it('fills an empty switch with one ordered bundle', async () => {
    const bench = new Bench();
    await bench.begin(tables({ 0: 0, 1: 5, 2: 1 }, { 5: 0 }));
    expect({ bundles: bench.bridge.bundles, mods: kinds(bench.bridge.applied), status: bench.reconciler.status() }).toEqual({
      bundles: 1,
      mods: ['group_add 5', 'flow_add 96', 'flow_add 36', 'flow_add 0', 'canary'],
      status: { isAdopted: true, applied_seq: 1, flow_count: 4, error: null },
    });
    await bench.stop();
  });

  it('sends nothing before the tables wanted are complete', async () => {
    const bench = new Bench();
    bench.bridge.apply([{ kind: 'flow_add', flow: testFlow(7, 0) }]);
    bench.bridge.applied.length = 0;
    bench.start();
    bench.reconciler.change(difference(EMPTY, tables({ 1: 0 })));
    await bench.clock.advance(60_000);
    expect({ bundles: bench.bridge.bundles, status: bench.reconciler.status() }).toEqual({
      bundles: 0,
      status: { isAdopted: false, applied_seq: null, flow_count: 0, error: null },
    });
    await bench.stop();
  });

  it('sends nothing to a switch that an earlier process has left as wanted', async () => {
    const first = new Bench();
    await first.begin(tables({ 0: 0, 1: 5, 2: 1 }, { 5: 0 }));
    await first.stop();
    first.bridge.applied.length = 0;

    const second = new Bench(first.bridge);
    await second.begin(tables({ 2: 1, 1: 5, 0: 0 }, { 5: 0 }), 8);
    expect(second.reconciler.status()).toEqual({ isAdopted: true, applied_seq: 8, flow_count: 4, error: null });
    await second.clock.advance(2 * AUDIT_MS);
    expect({ mods: first.bridge.applied, audits: second.reconciler.counters.audits, drift: second.reconciler.counters.drift }).toEqual({
      mods: [],
      audits: 3,
      drift: { missing: 0, extra: 0, changed: 0 },
    });
    await second.stop();
  });

  it('neither puts back nor reports a flow that the switch has removed because its time was over', async () => {
    const bench = new Bench();
    const lasting = tables({ 0: 0, 1: 1 });
    const fleeting = { ...testFlow(2, 1), hard_timeout: 5 };
    const [key, before] = [flowKey(fleeting), bench.reconciler.counters];
    await bench.begin(lasting);
    bench.reconciler.change({ ...difference(lasting, lasting), flows_put: new Map([[key, fleeting]]) });
    await bench.clock.advance(2 * AUDIT_MS);
    const kept = bench.bridge.flows.has(key);
    bench.bridge.apply([{ kind: 'flow_delete_strict', flow: fleeting }]);
    bench.bridge.applied.length = 0;
    await bench.clock.advance(2 * AUDIT_MS);
    const afterwards = kinds(bench.bridge.applied);
    bench.reconciler.change({ ...difference(lasting, lasting), flows_deleted: new Map([[key, fleeting]]) });
    await bench.clock.advance(2 * AUDIT_MS);
    expect({ kept, afterwards, withdrawn: kinds(bench.bridge.applied), drift: before.drift, status: bench.reconciler.status() }).toEqual({
      kept: true,
      afterwards: ['canary'],
      withdrawn: ['canary'],
      drift: { missing: 0, extra: 0, changed: 0 },
      status: { isAdopted: true, applied_seq: 1, flow_count: 3, error: null },
    });
    await bench.stop();
  });

  it('reads many flows in portions spread over the period, and puts right what it finds before it has read the rest', async () => {
    const bench = new Bench(undefined, 2);
    const wanted = tables({ 0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0 });
    await bench.begin(wanted);
    bench.bridge.flows.delete(flowKey(testFlow(0, 0)));
    bench.bridge.flows.delete(flowKey(testFlow(3, 0)));
    const seen: unknown[] = [];
    const look = async (ms: number): Promise<void> => {
      await bench.clock.advance(ms);
      const { audits, drift } = bench.reconciler.counters;
      seen.push({ flows: bench.ours().size, audits, missing: drift.missing });
    };
    await look(AUDIT_MS);
    await look(AUDIT_MS / 4);
    await look(AUDIT_MS / 4);
    await look(AUDIT_MS / 4);
    expect(seen).toEqual([
      { flows: 6, audits: 0, missing: 0 },
      { flows: 7, audits: 0, missing: 0 },
      { flows: 7, audits: 0, missing: 0 },
      { flows: 8, audits: 1, missing: 2 },
    ]);
    await bench.stop();
  });

  it('audits at once after it has believed the canary, and repairs what the canary did not know', async () => {
    const first = new Bench();
    await first.begin(tables({ 0: 0, 1: 1, 2: 1 }));
    await first.stop();
    first.bridge.apply([
      { kind: 'flow_add', flow: testFlow(0, 1) },
      { kind: 'flow_delete_strict', flow: testFlow(1, 1) },
      { kind: 'flow_add', flow: testFlow(9, 1) },
    ]);
    first.bridge.applied.length = 0;

    const second = new Bench(first.bridge);
    await second.begin(tables({ 0: 0, 1: 1, 2: 1 }));
    expect({ mods: kinds(first.bridge.applied), drift: second.reconciler.counters.drift }).toEqual({
      mods: ['flow_add 36', 'flow_add 0', 'flow_delete_strict 0'],
      drift: { missing: 1, extra: 1, changed: 1 },
    });
    await second.stop();
  });

  it('changes only what differs when the canary says something else', async () => {
    const first = new Bench();
    await first.begin(tables({ 0: 0, 1: 1, 2: 5 }, { 5: 0 }));
    await first.stop();
    first.bridge.applied.length = 0;

    const second = new Bench(first.bridge);
    await second.begin(tables({ 0: 0, 1: 0 }));
    expect({ mods: kinds(first.bridge.applied), drift: second.reconciler.counters.drift }).toEqual({
      mods: ['flow_add 36', 'flow_delete_strict 96', 'group_delete 5', 'canary'],
      drift: { missing: 0, extra: 0, changed: 0 },
    });
    await second.stop();
  });

  it('leaves foreign flows, groups and meters alone', async () => {
    const bench = new Bench();
    const foreign = testFlow(50, 0, 0x7n);
    bench.bridge.apply([
      { kind: 'flow_add', flow: foreign },
      { kind: 'group_add', group: testGroup(77, 0) },
    ]);
    bench.bridge.meters.set(9, { ...METER, meter_id: 9 });
    await bench.begin({ ...tables({ 0: 0 }), meters: new Map([[1, METER]]) });
    bench.want(EMPTY);
    await bench.clock.advance(3 * AUDIT_MS);
    expect({
      flow: bench.bridge.flows.get(flowKey(foreign)),
      groups: [...bench.bridge.groups.keys()],
      meters: [...bench.bridge.meters.keys()],
    }).toEqual({
      flow: foreign,
      groups: [77],
      meters: [9, 1],
    });
    await bench.stop();
  });

  it('merges what comes while a bundle is on its way into the next one', async () => {
    const bench = new Bench();
    await bench.begin(tables({ 0: 0 }));
    bench.bridge.applied.length = 0;
    bench.bridge.bundles = 0;
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    bench.bridge.beforeCommit = () => held;
    bench.want(tables({ 0: 1 }), 2);
    await bench.clock.settle();
    for (let seq = 3; seq < 10; seq++) bench.want(tables({ 0: seq % 2, [seq]: 0 }), seq);
    await bench.clock.settle();
    expect(bench.reconciler.status().applied_seq).toBe(1);
    release();
    await bench.clock.settle();
    expect({ bundles: bench.bridge.bundles, mods: kinds(bench.bridge.applied), applied: bench.reconciler.status().applied_seq }).toEqual({
      bundles: 2,
      mods: ['flow_add 0', 'canary', 'flow_add 0', 'canary'],
      applied: 9,
    });
    await bench.stop();
  });

  it('undoes what was taken back while it was on its way', async () => {
    const bench = new Bench();
    await bench.begin(tables({ 0: 0 }));
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    bench.bridge.beforeCommit = () => held;
    bench.want(tables({ 0: 1 }), 2);
    await bench.clock.settle();
    bench.want(tables({ 0: 0 }), 3);
    expect(bench.reconciler.status().applied_seq).toBe(1);
    release();
    await bench.clock.settle();
    expect({ flows: bench.ours(), applied: bench.reconciler.status().applied_seq }).toEqual({ flows: tables({ 0: 0 }).flows, applied: 3 });
    await bench.stop();
  });

  it('confirms a message overtaken on its way when it has arrived, but none of those that overtook it', async () => {
    const bench = new Bench();
    await bench.begin(EMPTY);
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    bench.bridge.beforeCommit = () => held;
    bench.want(tables({ 0: 1 }), 2);
    await bench.clock.settle();
    const seen = new Set<string>();
    bench.onProgress = () => void seen.add(`${bench.reconciler.status().applied_seq}: ${bench.ours().size} flow`);
    bench.want(EMPTY, 3);
    bench.want(tables({ 0: 0 }), 4);
    release();
    await bench.clock.settle();
    expect([...seen]).toEqual(['1: 0 flow', '2: 1 flow', '4: 1 flow']);
    await bench.stop();
  });

  it('believes neither one nor the other when the connection ends before a bundle is answered', async () => {
    const bench = new Bench();
    await bench.begin(EMPTY);
    bench.bridge.beforeCommit = () => {
      setImmediate(() => bench.channel?.disconnect());
      bench.bridge.beforeCommit = () => Promise.resolve();
      return Promise.resolve();
    };
    bench.want(tables({ 0: 0 }), 2);
    while (bench.ours().size === 0) await new Promise((resolve) => setImmediate(resolve));
    const seen = new Set<string>();
    bench.onProgress = () => void seen.add(`${bench.reconciler.status().applied_seq}: ${bench.ours().size} flows`);
    bench.want(EMPTY, 3);
    await bench.clock.advance(1_000);
    expect([...seen]).toEqual(['1: 1 flows', '3: 0 flows']);
    await bench.stop();
  });

  it('confirms a message that changes no flow at once', async () => {
    const bench = new Bench();
    await bench.begin(tables({ 0: 0 }));
    const { bundles } = bench.bridge;
    bench.want(tables({ 0: 0 }), 2);
    const applied = bench.reconciler.status().applied_seq;
    await bench.clock.settle();
    expect({ applied, bundles: bench.bridge.bundles - bundles }).toEqual({ applied: 2, bundles: 0 });
    await bench.stop();
  });

  it('installs everything else when the switch refuses a flow, and says which and whose it was', async () => {
    const bench = new Bench();
    const bad = testFlow(3, 1);
    bench.bridge.refuses = (mod) => (mod.kind === 'flow_add' && flowKey(mod.flow) === flowKey(bad) ? 'OFPBAC_BAD_TYPE' : undefined);
    await bench.begin(tables({ 0: 0 }));
    bench.want(tables({ 0: 0, 3: 1, 4: 1 }), 2);
    bench.want(tables({ 0: 0, 3: 1, 4: 1, 5: 0 }), 3);
    await bench.clock.settle();
    expect({ flows: bench.ours(), status: bench.reconciler.status() }).toEqual({
      flows: tables({ 0: 0, 4: 1, 5: 0 }).flows,
      status: {
        isAdopted: true,
        applied_seq: 1,
        flow_count: 4,
        error: { seq: 3, message: expect.stringMatching(/^OFPBAC_BAD_TYPE: flow .*made by test$/), uuids: ['if-3'] },
      },
    });

    bench.bridge.refuses = () => undefined;
    await bench.clock.advance(2_000);
    expect({ flows: bench.ours(), status: bench.reconciler.status() }).toEqual({
      flows: tables({ 0: 0, 3: 1, 4: 1, 5: 0 }).flows,
      status: { isAdopted: true, applied_seq: 3, flow_count: 5, error: null },
    });
    await bench.stop();
  });

  it('asks ever more rarely for what stays refused, and at once for what takes its place', async () => {
    const bench = new Bench();
    bench.bridge.refuses = (mod) =>
      mod.kind === 'flow_add' && flowKey(mod.flow) === flowKey(testFlow(3, 1)) && same(mod, 1) ? 'OFPBAC_BAD_TYPE' : undefined;
    await bench.begin(tables({ 3: 1 }));
    await bench.clock.advance(600_000);
    const { refusals } = bench.reconciler.counters;
    bench.want(tables({ 3: 0 }), 2);
    await bench.clock.settle();
    expect({ few: refusals < 25, many: refusals > 10, flows: bench.ours(), status: bench.reconciler.status() }).toEqual({
      few: true,
      many: true,
      flows: tables({ 3: 0 }).flows,
      status: { isAdopted: true, applied_seq: 2, flow_count: 2, error: null },
    });
    await bench.stop();
  });

  it('keeps a group while the switch refuses to change a flow that sends to it: the flow would go with it', async () => {
    const bench = new Bench();
    await bench.begin(tables({ 0: 5, 1: 5 }, { 5: 0 }));
    bench.bridge.refuses = (mod) =>
      mod.kind === 'flow_add' && flowKey(mod.flow) === flowKey(testFlow(0, 0)) ? 'OFPBAC_BAD_TYPE' : undefined;
    bench.want(tables({ 0: 0, 1: 0 }), 2);
    await bench.clock.settle();
    const meanwhile = { flows: bench.ours(), groups: [...bench.bridge.groups.keys()] };
    bench.bridge.refuses = () => undefined;
    await bench.clock.advance(2 * AUDIT_MS);
    expect([meanwhile, { flows: bench.ours(), groups: [...bench.bridge.groups.keys()], drift: bench.reconciler.counters.drift }]).toEqual([
      { flows: tables({ 0: 5, 1: 0 }).flows, groups: [5] },
      { flows: tables({ 0: 0, 1: 0 }).flows, groups: [], drift: { missing: 0, extra: 0, changed: 0 } },
    ]);
    await bench.stop();
  });

  it('gets a thousand good flows in beside a hundred refused ones with few bundles', async () => {
    const bench = new Bench();
    bench.bridge.refuses = (mod) => (mod.kind === 'flow_add' && same(mod, 1) ? 'OFPBAC_BAD_TYPE' : undefined);
    const flows = Object.fromEntries(Array.from({ length: 1_100 }, (_, i) => [i, i % 11 === 0 ? 1 : 0]));
    await bench.begin(tables(flows));
    for (let i = 0; i < 40; i++) await bench.clock.settle();
    expect({ good: bench.ours().size, bundles: bench.bridge.bundles < 250 }).toEqual({ good: 1_000, bundles: true });
    await bench.stop();
  });

  it('waits and tries again when the switch fails bundles as such', async () => {
    const bench = new Bench();
    bench.bridge.refuses = (mod) => (mod.kind === 'flow_add' && isCanary(mod.flow) ? 'OFPBFC_TIMEOUT' : undefined);
    await bench.begin(tables({ 0: 0 }));
    const stalled = bench.reconciler.status();
    bench.bridge.refuses = () => undefined;
    await bench.clock.advance(1_000);
    expect([stalled.error?.message, bench.reconciler.status()]).toEqual([
      expect.stringContaining('OFPBFC_TIMEOUT'),
      { isAdopted: true, applied_seq: 1, flow_count: 2, error: null },
    ]);
    await bench.stop();
  });

  it('repairs a restarted switch as soon as it is back', async () => {
    const bench = new Bench();
    await bench.begin(tables({ 0: 0, 1: 5, 2: 1 }, { 5: 0 }));
    bench.bridge.wipe();
    bench.channel?.disconnect();
    await bench.clock.advance(100);
    expect({ flows: bench.ours(), groups: bench.bridge.groups, status: bench.reconciler.status() }).toEqual({
      flows: bench.wanted.flows,
      groups: bench.wanted.groups,
      status: { isAdopted: true, applied_seq: 1, flow_count: 4, error: null },
    });
    await bench.stop();
  });

  it('keeps what it knew when the connection only blinked, and sends what changed meanwhile', async () => {
    const bench = new Bench();
    await bench.begin(tables({ 0: 0, 1: 1 }));
    bench.channel?.disconnect();
    await bench.clock.settle();
    bench.bridge.applied.length = 0;
    bench.want(tables({ 0: 0, 1: 0 }), 2);
    expect(bench.reconciler.status()).toEqual({ isAdopted: false, applied_seq: 1, flow_count: 3, error: null });
    await bench.clock.advance(100);
    expect({ mods: kinds(bench.bridge.applied), applied: bench.reconciler.status().applied_seq }).toEqual({
      mods: ['flow_add 36', 'canary'],
      applied: 2,
    });
    await bench.stop();
  });

  it('puts back what is altered by hand at the next audit, and counts it', async () => {
    const bench = new Bench();
    await bench.begin(tables({ 0: 0, 1: 1, 2: 5 }, { 5: 0 }));
    bench.bridge.apply([
      { kind: 'flow_add', flow: testFlow(0, 1) },
      // Taken over by somebody's flow: same place, another cookie.
      { kind: 'flow_add', flow: testFlow(1, 1, 0n) },
      { kind: 'flow_add', flow: testFlow(9, 1) },
      { kind: 'group_delete', group_id: 5 },
      { kind: 'flow_delete_strict', flow: canaryFlow(0n) },
    ]);
    await bench.clock.advance(AUDIT_MS * 1.1);
    expect({
      flows: bench.ours(),
      groups: bench.bridge.groups,
      drift: bench.reconciler.counters.drift,
      canary: bench.bridge.flows.has(flowKey(canaryFlow(0n))),
    }).toEqual({
      flows: bench.wanted.flows,
      groups: bench.wanted.groups,
      drift: { missing: 3, extra: 1, changed: 1 },
      canary: true,
    });
    await bench.stop();
  });

  it('audits at once when told that the switch was disturbed', async () => {
    const bench = new Bench();
    await bench.begin(tables({ 0: 0 }));
    bench.bridge.wipe();
    bench.reconciler.auditSoon();
    await bench.clock.settle();
    expect(bench.ours()).toEqual(bench.wanted.flows);
    await bench.stop();
  });

  it('holds a mass deletion back when it comes with a first snapshot', async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [i, 0]));
    const first = new Bench();
    await first.begin(tables(many));
    await first.stop();

    const second = new Bench(first.bridge);
    await second.begin(tables({ 0: 0, 500: 1 }));
    const early = { flows: second.ours().size, status: second.reconciler.status() };
    await second.clock.advance(10_100);
    expect([early, { flows: second.ours().size, status: second.reconciler.status() }]).toEqual([
      { flows: 201, status: { isAdopted: true, applied_seq: null, flow_count: 202, error: null } },
      { flows: 2, status: { isAdopted: true, applied_seq: 1, flow_count: 3, error: null } },
    ]);
    expect(second.log.warn).toHaveBeenCalledWith(expect.objectContaining({ wanted: 2, held: 200 }), expect.any(String));
    await second.stop();
  });

  it('puts meters right and leaves them when they are', async () => {
    const bench = new Bench();
    bench.bridge.meters.set(1, { ...METER, flags: 1 });
    await bench.begin({ ...EMPTY, meters: new Map([[1, METER]]) });
    expect(bench.bridge.meters).toEqual(new Map([[1, METER]]));
    await bench.stop();
  });

  it('tells when what a change wanted is in place, later changes notwithstanding', async () => {
    const bench = new Bench();
    await bench.begin(tables({ 0: 0, 1: 0 }));
    const delta = difference(bench.wanted, tables({ 0: 0 }));
    bench.want(tables({ 0: 0 }));
    let isGone = false;
    void bench.reconciler
      .settled(delta, new AbortController().signal)
      .then(() => (isGone = !bench.bridge.flows.has(flowKey(testFlow(1, 0)))));
    await bench.clock.settle();
    expect(isGone).toBe(true);
    await bench.stop();
  });
});

function same(mod: TableMod, variant: number): boolean {
  const instruction = mod.kind === 'flow_add' ? mod.flow.instructions[0] : undefined;
  const action = instruction?.kind === 'apply_actions' ? instruction.actions[0] : undefined;
  return action?.kind === 'set_field' && action.value === variant;
}
