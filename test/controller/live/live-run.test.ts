import { LiveRun, type LiveParts, type Surroundings } from '../../../controller/live/live-run.js';
import { liveInput, type LiveQuestion } from '../../../controller/live/question.js';
import type { LiveCommand, LiveReport } from '../../../controller/messages/live.js';
import { HotoriError } from '../../../flows/model/errors.js';
import { sighting } from './sighting.js';

const AROUND: Surroundings = {
  revision: 7,
  incarnation: 'one',
  isKnown: true,
  addresses: ['10.0.0.1'],
  datapath_uuid: 'dp-1',
  hearing: ['dp-1', 'dp-2', 'dp-3'],
};
const question = (over: object = {}): LiveQuestion =>
  liveInput.parse({ interface: 'if-a', filter: { protocol: 'udp' }, timeout: 1, ...over });
const NOTHING: LiveReport = { observations: [], missed: 0, over: false };

/** @param answer what a vna says; undefined: that it has done so, and seen nothing */
function setUp(answer: (datapath: string, command: LiveCommand) => LiveReport | undefined, over: Partial<LiveParts> = {}) {
  const log: string[] = [];
  const ids = new Set<string>();
  const run = new LiveRun({
    question: question(),
    signal: new AbortController().signal,
    calls: {
      live: async (datapath, command) => {
        ids.add(command.trace_id);
        if (command.act !== 'collect') log.push(`${command.act} ${datapath}`);
        const report = answer(datapath, command) ?? NOTHING;
        if (report.observations.length === 0 && command.act === 'collect') await new Promise((resolve) => setTimeout(resolve, 20));
        return report;
      },
    },
    random: { bytes: (count) => new Uint8Array(count).fill(1) },
    traces: {
      trace: () => Promise.reject(new HotoriError('invalid_argument', 'no such packet')),
      surroundings: () => Promise.resolve(AROUND),
    },
    ...over,
  });
  return { run, log, ids };
}

/** Each observation once. */
function telling(told: Record<string, LiveReport['observations'][]>) {
  return (datapath: string, { act }: LiveCommand): LiveReport | undefined => {
    const observations = act === 'collect' ? told[datapath]?.shift() : undefined;
    return observations && { ...NOTHING, observations };
  };
}

describe('a live run', () => {
  it('has receivers watch before the sender does, and takes everything back when enough was seen', async () => {
    const { run, log, ids } = setUp(
      telling({
        'dp-1': [[sighting('dp-1', 'entry'), sighting('dp-1', 'sent', { peer_uuid: 'dp-2' })]],
        'dp-2': [
          [
            sighting('dp-2', 'arrival', { peer_uuid: 'dp-1' }),
            sighting('dp-2', 'delivered', { interface_uuid: 'if-b', receivers: ['if-b'] }),
          ],
        ],
      }),
    );
    const { ended, packets, watched } = await run.run();
    expect(log).toEqual(['arm dp-2', 'arm dp-3', 'arm dp-1', 'disarm dp-1', 'disarm dp-2', 'disarm dp-3']);
    expect([
      ids.size,
      ended,
      packets.map(({ verdict, seen }) => [verdict, ...seen.map(({ point }) => point)]),
      watched.map(({ error }) => error),
    ]).toEqual([1, 'count', [['delivered', 'entry', 'sent', 'arrival', 'delivered']], [null, null, null]]);
  });

  it('goes on without a receiver that cannot watch, and says so', async () => {
    const { run, log } = setUp((datapath, { act }) => {
      if (datapath === 'dp-2' && act === 'arm') throw new HotoriError('unavailable', 'dp-2 is not attached');
      return undefined;
    });
    const { ended, packets, watched } = await run.run();
    expect([ended, packets, watched, log.filter((line) => line.startsWith('disarm'))]).toEqual([
      'timeout',
      [],
      [
        { datapath_uuid: 'dp-1', error: null },
        { datapath_uuid: 'dp-2', error: 'dp-2 is not attached' },
        { datapath_uuid: 'dp-3', error: null },
      ],
      ['disarm dp-1', 'disarm dp-3'],
    ]);
  });

  it('is refused where the sender is traced already, and leaves nobody watching', async () => {
    const { run, log } = setUp((datapath, { act }) => {
      if (datapath === 'dp-1' && act === 'arm') throw new HotoriError('conflict', 'packets of if-a are being traced already');
      return undefined;
    });
    await expect(run.run()).rejects.toMatchObject({ code: 'conflict' });
    expect(log.filter((line) => line.startsWith('disarm')).sort()).toEqual(['disarm dp-1', 'disarm dp-2', 'disarm dp-3']);
  });

  it('ends, and leaves nobody watching, when nobody waits for it any more', async () => {
    const stop = new AbortController();
    const { run, log } = setUp(
      (datapath, { act }) => {
        if (datapath === 'dp-1' && act === 'arm') stop.abort();
        return undefined;
      },
      { signal: stop.signal, question: question({ timeout: 60 }) },
    );
    await expect(run.run()).rejects.toMatchObject({ code: 'unavailable' });
    expect(log.slice(-3).sort()).toEqual(['disarm dp-1', 'disarm dp-2', 'disarm dp-3']);
  });

  it.each<[string, Partial<Surroundings>, object, string, string]>([
    ['an interface that is not there', { isKnown: false }, {}, 'invalid_reference', '/interface'],
    ['one that is plugged in nowhere', { datapath_uuid: null }, {}, 'invalid_argument', '/interface'],
    ['all that it sends from its address', {}, { filter: { source: '10.0.0.0/8' } }, 'invalid_argument', '/filter'],
  ])('refuses %s, and asks nobody', async (_what, around, over, code, pointer) => {
    const { run, log } = setUp(() => undefined, {
      question: question(over),
      traces: {
        trace: () => Promise.reject(new HotoriError('internal', 'not asked')),
        surroundings: () => Promise.resolve({ ...AROUND, ...around }),
      },
    });
    await expect(run.run()).rejects.toMatchObject({ code, reasons: [{ pointer }] });
    expect(log).toEqual([]);
  });
});
