import type { LiveCommand, LiveObservation } from '../../../controller/messages/live.js';
import { LIVE_COLLECT_MS, LIVE_KEEP, LIVE_LEASE_MS } from '../../../controller/messages/live.js';
import { LiveTracer } from '../../../datapath/agent/live-tracer.js';
import type { FlowDelta } from '../../../flows/compile/contract.js';
import type { LivePunt } from '../../../flows/pipeline/punt.js';
import type { PacketIn } from '../../../datapath/channel/contract.js';
import { ManualClock } from './manual-clock.js';

const DELTA: FlowDelta = { flows_put: new Map(), flows_deleted: new Map(), groups_put: new Map(), groups_deleted: new Map() };
const PACKET = {} as PacketIn;
const punt = (session: number): LivePunt => ({ kind: 'live', session, point: 'entry' });

function setUp() {
  const clock = new ManualClock();
  const stop = new AbortController();
  /** Sessions there were after each change. */
  const changes: number[][] = [];
  const world = { isReady: true, compiles: true };
  const tracer: LiveTracer = new LiveTracer({
    observe: ({ point }, _packet, at) => ({ point, at }) as LiveObservation,
    isReady: () => world.isReady,
    onChange: () => {
      changes.push(tracer.records().map(({ session }) => session));
      return world.compiles ? DELTA : undefined;
    },
    settled: () => Promise.resolve(),
    clock,
    wallClock: () => 1_000_000 + clock.now(),
    signal: stop.signal,
  });
  const arm = (id: string, uuid: string, seconds = 30) =>
    tracer.carryOut({
      act: 'arm',
      trace_id: `trace-${id}`,
      interface_uuid: uuid,
      filter: { protocol: 'tcp' },
      dropped_only: false,
      seconds,
    } satisfies LiveCommand);
  const collect = (id: string) => tracer.carryOut({ act: 'collect', trace_id: `trace-${id}` });
  return { clock, stop, changes, world, tracer, arm, collect };
}

describe('live traces of an agent', () => {
  it('end when nobody collects any more', async () => {
    const { clock, changes, tracer, arm } = setUp();
    await arm('1', 'if-a');
    await clock.advance(LIVE_LEASE_MS - 1);
    const during = tracer.records().length;
    await clock.advance(1);
    expect([during, tracer.records(), changes]).toEqual([1, [], [[1], []]]);
  });

  it('last as long as somebody collects, and no longer than they were to', async () => {
    const { clock, tracer, arm, collect } = setUp();
    await arm('1', 'if-a', 10);
    const seen: number[] = [];
    for (let second = 0; second < 12; second++) {
      const report = collect('1');
      await clock.advance(LIVE_COLLECT_MS);
      if (!(await report).over) seen.push(second);
    }
    expect([seen, tracer.records()]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8], []]);
  });

  it('tell what was seen to whoever collects, at once, and count what they could not keep', async () => {
    const { tracer, arm, collect } = setUp();
    await arm('1', 'if-a');
    const waiting = collect('1');
    tracer.take(punt(1), PACKET);
    tracer.take(punt(9), PACKET);
    const first = await waiting;
    for (let i = 0; i < LIVE_KEEP + 3; i++) tracer.take(punt(1), PACKET);
    const second = await collect('1');
    expect([first.observations.length, first.missed, second.observations.length, second.missed]).toEqual([1, 0, LIVE_KEEP, 3]);
  });

  it('of one interface are one at a time; each has a session that was not used a moment ago', async () => {
    const { tracer, arm } = setUp();
    await arm('1', 'if-a');
    await expect(arm('2', 'if-a')).rejects.toThrow('packets of if-a are being traced already; try again later');
    await arm('3', 'if-b');
    await tracer.carryOut({ act: 'disarm', trace_id: 'trace-1' });
    await arm('4', 'if-a');
    expect(tracer.records().map(({ session, interface_uuid, seconds }) => [session, interface_uuid, seconds])).toEqual([
      [2, 'if-b', 35],
      [3, 'if-a', 35],
    ]);
  });

  it('are refused, and leave nothing, while the switch is not there or does not take their rows', async () => {
    const { world, tracer, arm } = setUp();
    world.isReady = false;
    await expect(arm('1', 'if-a')).rejects.toMatchObject({ code: 'unavailable' });
    world.isReady = true;
    world.compiles = false;
    await expect(arm('1', 'if-a')).rejects.toMatchObject({ code: 'unavailable' });
    expect(tracer.records()).toEqual([]);
  });

  it('that are not known, or withdrawn, are over', async () => {
    const { tracer, arm, collect } = setUp();
    await arm('1', 'if-a');
    const waiting = collect('1');
    await tracer.carryOut({ act: 'disarm', trace_id: 'trace-1' });
    expect([await waiting, await collect('1'), await tracer.carryOut({ act: 'disarm', trace_id: 'trace-1' })]).toEqual([
      { observations: [], missed: 0, over: true },
      { observations: [], missed: 0, over: true },
      { observations: [], missed: 0, over: true },
    ]);
  });
});
