import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Tables } from '../../flows/compile/contract.js';
import { flowKey } from '../../flows/openflow/canonical.js';
import { systemClock } from '../../datapath/agent/clock.js';
import { holdConnection } from '../../datapath/agent/hold-connection.js';
import { Reconciler } from '../../datapath/agent/reconciler.js';
import { connectChannel } from '../../datapath/channel/connect.js';
import { difference, testFlow, testTables } from '../datapath/agent/tables.js';
import { eventually } from '../lab/eventually.js';
import { Ovs } from '../lab/ovs.js';

const BRIDGE = 'br-int';
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const numbered = (from: number, to: number, variant = 0): Map<number, number> =>
  new Map(Array.from({ length: to - from }, (_, i) => [from + i, (from + i + variant) % 2]));

describe('the reconciler on a real Open vSwitch', () => {
  let dir: string;
  let ovs: Ovs;
  let reconciler: Reconciler;
  let stop: AbortController;
  let done: Promise<void>;

  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'agent-'));
    ovs = new Ovs({ dir, dummy: true });
    await ovs.start();
    await ovs.addBridge(BRIDGE);
    stop = new AbortController();
    reconciler = new Reconciler({
      clock: systemClock,
      random: Math.random,
      log: silent,
      auditPeriodMs: 60_000,
      explain: (cookie) => ({ rule: 'test', uuids: [`if-${cookie & 0xffffn}`] }),
      onProgress: () => undefined,
    });
    done = holdConnection(
      {
        purpose: 'test',
        connect: (signal) => connectChannel(`unix:${ovs.openflowSocket(BRIDGE)}`, {}, signal),
        attend: (channel, signal) => reconciler.attend(channel, signal),
        clock: systemClock,
        random: Math.random,
        log: silent,
      },
      stop.signal,
    );
  });

  afterEach(async () => {
    stop.abort();
    await done;
    await ovs.stop();
    await rm(dir, { recursive: true });
  });

  async function begin(tables: Tables): Promise<void> {
    reconciler.replace(tables);
    reconciler.mark(1);
    reconciler.begin();
    await eventually('the first tables', () => reconciler.status().applied_seq === 1, { everyMs: 5 });
  }

  it('installs ten thousand flows but the one the switch refuses, and says whose that is', async () => {
    const before = testTables(numbered(0, 10), new Map());
    await begin(before);
    // Sends to a group that is nowhere.
    const bad = testFlow(5_000, 99);
    const good = testTables(numbered(0, 10_000), new Map());
    const after = { ...good, flows: new Map([...good.flows, [flowKey(bad), bad]]) };
    reconciler.change(difference(before, after));
    reconciler.mark(2);
    const error = await eventually('the refusal', () => reconciler.status().error ?? undefined, { everyMs: 5 });
    await eventually('all others', () => reconciler.status().flow_count === 10_000, { everyMs: 5 });
    expect({ error, count: (await ovs.flows(BRIDGE)).length, applied: reconciler.status().applied_seq }).toEqual({
      error: { seq: 2, message: expect.stringMatching(/^OFPBAC_BAD_OUT_GROUP: flow .*, made by test$/), uuids: ['if-5000'] },
      count: 10_000,
      applied: 1,
    });

    reconciler.change(difference(after, good));
    reconciler.mark(3);
    await eventually('the cure', () => reconciler.status().applied_seq === 3, { everyMs: 5 });
    expect([reconciler.status().error, (await ovs.flows(BRIDGE)).length]).toEqual([null, 10_001]);
  });

  it('brings flows and groups from any state to any other', async () => {
    const steps = [
      testTables(
        new Map([...numbered(0, 30), [31, 5], [32, 6]]),
        new Map([
          [5, 0],
          [6, 1],
        ]),
      ),
      testTables(
        new Map([...numbered(10, 40, 1), [31, 6], [33, 7]]),
        new Map([
          [6, 2],
          [7, 0],
        ]),
      ),
      testTables(new Map([[31, 1]]), new Map()),
    ];
    await begin(testTables(new Map(), new Map()));
    let last = testTables(new Map(), new Map());
    for (const [i, tables] of steps.entries()) {
      reconciler.change(difference(last, tables));
      reconciler.mark(i + 2);
      last = tables;
      await eventually(`step ${i}`, () => reconciler.status().applied_seq === i + 2, { everyMs: 5 });
      reconciler.auditSoon();
      const { audits } = reconciler.counters;
      await eventually('an audit', () => reconciler.counters.audits > audits, { everyMs: 5 });
      const groups = (await ovs.ofctl(['dump-groups', BRIDGE])).match(/group_id=\d+/g) ?? [];
      expect({ flows: (await ovs.flows(BRIDGE)).length, groups: groups.length, drift: reconciler.counters.drift }).toEqual({
        flows: tables.flows.size + 1,
        groups: tables.groups.size,
        drift: { missing: 0, extra: 0, changed: 0 },
      });
    }
  });

  it('lets the event loop run while it audits fifty thousand flows', async () => {
    await begin(testTables(numbered(0, 50_000), new Map()));
    const { audits } = reconciler.counters;
    let turns = 0;
    let next: NodeJS.Immediate;
    const count = () => {
      turns++;
      next = setImmediate(count);
    };
    count();
    reconciler.auditSoon();
    await eventually('an audit', () => reconciler.counters.audits > audits, { everyMs: 5 });
    clearImmediate(next!);
    expect(reconciler.counters.drift).toEqual({ missing: 0, extra: 0, changed: 0 });
    // The dump comes in some ninety parts; with one turn for each, none of them holds anything else up for long.
    expect(turns).toBeGreaterThan(90);
  }, 30_000);
});
