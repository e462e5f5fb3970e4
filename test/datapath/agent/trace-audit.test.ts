import type { TraceCheck } from '../../../controller/messages/slice.js';
import { TraceAudit, type TraceAuditOptions } from '../../../datapath/agent/trace-audit.js';
import { HotoriError } from '../../../flows/model/errors.js';
import { virtualNetwork } from '../../oracle/virtual-network.js';
import { ManualClock } from './manual-clock.js';

const AGREES: TraceCheck = { difference: null, partly: false, walk: [], text: '' };
const DIFFERS: TraceCheck = { ...AGREES, difference: { what: 'tables', packet: 'ip', interpreter: '[]', switch: '[]' } };

/** Runs an audit for minutes; the answers are those of one check after another, the last one for ever. */
async function audited(minutes: number, answers: readonly (TraceCheck | Error)[], over: Partial<TraceAuditOptions> = {}) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const lines: string[] = [];
  const asked: number[] = [];
  const note = (_fields: object, text: string) => void lines.push(text);
  const audit = new TraceAudit({
    rate: 10,
    records: virtualNetwork,
    check: (packets) => {
      const answer = answers[Math.min(asked.push(packets.length) - 1, answers.length - 1)]!;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(packets.map(() => answer));
    },
    steady: () => 1,
    clock,
    random: Math.random,
    log: { error: note, warn: note, info: note },
    ...over,
  });
  const running = audit.run(stop.signal);
  for (let i = 0; i < minutes * 12 + 2; i++) await clock.advance(5_000);
  stop.abort();
  await running;
  return { ...audit.counters, rounds: asked.length, lines };
}

describe('the audit of traces', () => {
  it('counts packets at its rate, and is silent while the switch agrees', async () => {
    const { checked, disagreements, rounds, lines } = await audited(3, [AGREES]);
    expect({ rounds, disagreements, lines, tried: checked > 0 && checked <= 30 }).toEqual({
      rounds: 3,
      disagreements: 0,
      lines: [],
      tried: true,
    });
  });

  it('raises the alarm when a disagreement lasts', async () => {
    const { disagreements, lines } = await audited(1, [DIFFERS]);
    expect([disagreements > 0, new Set(lines)]).toEqual([true, new Set(['the switch does not do what its flows say'])]);
  });

  it('says nothing of a disagreement that has gone, or while flows change', async () => {
    let changes = 0;
    expect([await audited(1, [DIFFERS, AGREES]), await audited(1, [DIFFERS], { steady: () => ++changes })]).toMatchObject([
      { disagreements: 0, lines: [] },
      { disagreements: 0, lines: [] },
    ]);
  });

  it('asks nothing while the switch does not have what is wanted, and nothing at all at rate 0', async () => {
    expect([await audited(2, [AGREES], { steady: () => undefined }), await audited(2, [AGREES], { rate: 0 })]).toMatchObject([
      { rounds: 0, checked: 0 },
      { rounds: 0, checked: 0 },
    ]);
  });

  it('says once that the switch cannot be asked', async () => {
    const { lines, disagreements } = await audited(5, [new HotoriError('unavailable', 'no socket')]);
    expect([lines, disagreements]).toEqual([['flows cannot be held against the switch'], 0]);
  });
});
