import { SliceFollower } from '../../../datapath/agent/slice-follower.js';
import { Turns } from '../../../datapath/agent/turns.js';
import type { SliceChange } from '../../../datapath/agent/slice-intake.js';
import type { SliceAttachment, SliceMessage, SliceSource } from '../../../controller/messages/slice.js';
import { network } from '../../flows/compile/slice-builder.js';
import { ManualClock } from './manual-clock.js';

/** A vnmgr that does as told. */
class Source implements SliceSource {
  attached = 0;
  relisted = 0;
  send: (message: SliceMessage) => void = () => undefined;
  close: () => void = () => undefined;
  refuses = false;

  attach(_hello: unknown, onMessage: (message: SliceMessage) => void): Promise<SliceAttachment> {
    if (this.refuses) return Promise.reject(new Error('no vnmgr'));
    this.attached++;
    this.send = onMessage;
    const closed = new Promise<void>((resolve) => (this.close = resolve));
    return Promise.resolve({
      datapath_uuid: 'dp-1',
      reportVifs: () => undefined,
      reportChassis: () => undefined,
      reportApplied: () => undefined,
      holdGateway: () => Promise.resolve(true),
      behind: () => Promise.resolve([]),
      serveFlows: () => undefined,
      serveAcceptance: () => undefined,
      serveChecks: () => undefined,
      serveLive: () => undefined,
      relist: () => {
        this.relisted++;
      },
      closed,
    });
  }
}

function setUp() {
  const source = new Source();
  const clock = new ManualClock();
  const changes: SliceChange[] = [];
  const unsupported: number[] = [];
  const follower = new SliceFollower({
    source,
    hello: () => ({ node_id: 'n', dpid: '0x0000000000000001', bridge: 'br-int', vifs: [] }),
    onAttaching: () => undefined,
    onAttached: () => undefined,
    onDetached: () => undefined,
    onChange: (change) => void changes.push(change),
    onUnsupported: ({ seq }) => void unsupported.push(seq),
    turns: new Turns(),
    clock,
    random: () => 0.5,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  const stop = new AbortController();
  const done = follower.run(stop.signal);
  return { source, clock, changes, unsupported, follower, signal: stop.signal, stop: () => (stop.abort(), done) };
}

const header = (seq: number) => ({ schema_version: 1, datapath_uuid: 'dp-1', seq, revision: { incarnation: 'i', number: seq } });
const snapshot = (seq: number): SliceMessage => ({ kind: 'snapshot', ...header(seq), entities: [network('a', 1)] });
const delta = (seq: number): SliceMessage => ({ kind: 'delta', ...header(seq), puts: [network('b', 2)], deletes: [] });

describe('following a slice', () => {
  it('hands on what arrives in one turn as one change', async () => {
    const { source, clock, changes, stop } = setUp();
    await clock.settle();
    source.send(snapshot(1));
    source.send(delta(2));
    expect(changes).toEqual([]);
    await clock.settle();
    source.send(delta(3));
    await clock.settle();
    expect(changes.map(({ isComplete, seq, puts }) => [isComplete, seq, puts.length])).toEqual([
      [true, 2, 2],
      [false, 3, 1],
    ]);
    await stop();
  });

  it('asks once for a snapshot when messages are missing', async () => {
    const { source, clock, changes, stop } = setUp();
    await clock.settle();
    source.send(snapshot(1));
    await clock.settle();
    for (const seq of [3, 4, 5]) source.send(delta(seq));
    await clock.settle();
    source.send(snapshot(6));
    await clock.settle();
    expect([source.relisted, changes.map(({ seq }) => seq)]).toEqual([1, [1, 6]]);
    await stop();
  });

  it('attaches again when it is detached, and hears nothing more from before', async () => {
    const { source, clock, changes, stop } = setUp();
    await clock.settle();
    const old = source.send;
    source.send(snapshot(5));
    await clock.settle();
    source.close();
    await clock.advance(500);
    old(delta(6));
    source.send(snapshot(1));
    await clock.settle();
    expect([source.attached, changes.map(({ seq }) => seq)]).toEqual([2, [5, 1]]);
    await stop();
  });

  it('keeps trying while vnmgr cannot be reached', async () => {
    const { source, clock, stop } = setUp();
    source.refuses = true;
    source.close();
    await clock.advance(30_000);
    source.refuses = false;
    await clock.advance(15_000);
    expect(source.attached).toBe(2);
    await stop();
  });

  it('attaches ever more rarely while each attachment is soon over, however long attaching takes', async () => {
    const { source, clock, stop } = setUp();
    const attach = source.attach.bind(source);
    source.attach = async (hello, onMessage) => {
      await clock.sleep(20_000, new AbortController().signal);
      return attach(hello, onMessage);
    };
    await clock.settle();
    source.close();
    const waits = [];
    for (let i = 0; i < 6; i++) {
      const before = source.attached;
      const since = clock.now();
      while (source.attached === before) await clock.advance(125);
      waits.push(clock.now() - since - 20_000);
      source.close();
    }
    expect(waits).toEqual([375, 750, 1_500, 3_000, 6_000, 11_250]);
    await stop();
  });

  it('asks for everything again after a change that could not be used, ever more rarely', async () => {
    const { source, clock, changes, follower, signal, stop } = setUp();
    await clock.settle();
    source.send(snapshot(1));
    await clock.settle();
    for (let i = 0; i < 6; i++) {
      void follower.startOver(signal);
      await clock.advance(1_000);
    }
    const few = source.relisted;
    await clock.advance(60_000);
    source.send(delta(2));
    await clock.settle();
    expect([few < 6, source.relisted, changes.length]).toEqual([true, 6, 1]);
    await stop();
  });

  it('says of a message of another schema that it is not understood', async () => {
    const { source, clock, unsupported, stop } = setUp();
    await clock.settle();
    source.send({ ...snapshot(1), schema_version: 9 });
    expect(unsupported).toEqual([1]);
    await stop();
  });
});
