import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Tables } from '../../../flows/compile/contract.js';
import { flowBody, flowKey } from '../../../flows/openflow/canonical.js';
import { holdConnection } from '../../../datapath/agent/hold-connection.js';
import { systemClock } from '../../../datapath/agent/clock.js';
import { isCanary } from '../../../datapath/agent/canary.js';
import { Reconciler } from '../../../datapath/agent/reconciler.js';
import { connectChannel } from '../../../datapath/channel/connect.js';
import { FakeSwitch } from '../../fakes/fake-switch.js';
import { eventually } from '../../lab/eventually.js';
import { difference, testTables } from './tables.js';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const wanted = (flows: number, variant = 0): Tables =>
  testTables(new Map(Array.from({ length: flows }, (_, i) => [i, i % 7 === 0 ? 5 : (i + variant) % 2])), new Map([[5, variant]]));

describe('the reconciler, over the wire, with a switch that misbehaves', () => {
  let dir: string;
  let bridge: FakeSwitch;
  let reconciler: Reconciler;
  let stop: AbortController;
  let done: Promise<void>;

  const held = (): Map<string, string> =>
    new Map([...bridge.tables.flows.values()].filter((flow) => !isCanary(flow)).map((flow) => [flowKey(flow), flowBody(flow)]));
  const texts = (tables: Tables): Map<string, string> => new Map([...tables.flows].map(([key, flow]) => [key, flowBody(flow)]));
  const settled = (tables: Tables, seq: number): Promise<unknown> =>
    eventually(`seq ${seq}`, () => reconciler.status().applied_seq === seq && held().size === tables.flows.size, { everyMs: 5 });

  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'agent-'));
    bridge = new FakeSwitch({ partSize: 20 });
    await bridge.listen({ path: path.join(dir, 'br.mgmt') });
    reconciler = new Reconciler({
      clock: systemClock,
      random: () => 0.5,
      log: silent,
      auditPeriodMs: 200,
      explain: () => undefined,
      onProgress: () => undefined,
    });
    stop = new AbortController();
    done = holdConnection(
      {
        purpose: 'test',
        connect: (signal) => connectChannel(`unix:${path.join(dir, 'br.mgmt')}`, {}, signal),
        attend: (channel, signal) => reconciler.attend(channel, signal),
        clock: systemClock,
        random: () => 0.5,
        log: silent,
      },
      stop.signal,
    );
  });

  afterEach(async () => {
    stop.abort();
    await done;
    await bridge.close();
    await rm(dir, { recursive: true });
  });

  async function begin(tables: Tables): Promise<void> {
    reconciler.replace(tables);
    reconciler.mark(1);
    reconciler.begin();
    await settled(tables, 1);
  }

  it('installs what is wanted, then nothing more', async () => {
    const tables = wanted(100);
    await begin(tables);
    const sent = bridge.received.get('bundle_add');
    await eventually('audits', () => reconciler.counters.audits >= 2);
    expect({ held: held(), sent: bridge.received.get('bundle_add'), drift: reconciler.counters.drift }).toEqual({
      held: texts(tables),
      sent,
      drift: { missing: 0, extra: 0, changed: 0 },
    });
  });

  it.each(['arrival', 'commit'] as const)('installs all but what is refused on %s, and that too once it is taken', async (when) => {
    const before = wanted(10);
    await begin(before);
    bridge.misbehaviour.failMod = { nth: 4, error: { type: 5, code: 1 }, when };
    const after = wanted(40, 1);
    reconciler.change(difference(before, after));
    reconciler.mark(2);
    const refused = await eventually('the refusal', () => reconciler.status().error ?? undefined, { everyMs: 1 });
    delete bridge.misbehaviour.failMod;
    await settled(after, 2);
    const { audits } = reconciler.counters;
    await eventually('audits', () => reconciler.counters.audits > audits + 1);
    expect({ seq: refused.seq, held: held(), error: reconciler.status().error, drift: reconciler.counters.drift }).toEqual({
      seq: 2,
      held: texts(after),
      error: null,
      drift: { missing: 0, extra: 0, changed: 0 },
    });
  });

  it('starts from what the switch holds when the connection drops inside a bundle', async () => {
    const before = wanted(10);
    await begin(before);
    bridge.misbehaviour.disconnectAtMember = 5;
    const after = wanted(60, 1);
    reconciler.change(difference(before, after));
    reconciler.mark(2);
    await settled(after, 2);
    expect({ held: held(), drift: reconciler.counters.drift }).toEqual({ held: texts(after), drift: { missing: 0, extra: 0, changed: 0 } });
  });

  it('repairs at the next audit what somebody altered', async () => {
    const tables = wanted(50);
    await begin(tables);
    const [first, second] = [...bridge.tables.flows.keys()];
    bridge.tables.flows.delete(first!);
    bridge.tables.flows.set(second!, { ...bridge.tables.flows.get(second!)!, instructions: [] });
    await eventually('the repair', () => reconciler.counters.drift.missing === 1 && held().size === tables.flows.size);
    expect(held()).toEqual(texts(tables));
  });
});
