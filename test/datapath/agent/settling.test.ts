import { Settling } from '../../../datapath/agent/settling.js';
import { ManualClock } from './manual-clock.js';

function setUp(before: readonly string[] = []) {
  const clock = new ManualClock();
  const heard: string[][] = [];
  const settling: Settling = new Settling({
    ms: 2_000,
    clock,
    signal: new AbortController().signal,
    before: () => before,
    onSettled: () => void heard.push(settling.settled()),
  });
  return { clock, settling, heard };
}

describe('what settles', () => {
  it('counts when it has been there for the whole time, and says so then', async () => {
    const { clock, settling, heard } = setUp();
    expect(settling.update(['a'])).toBe(false);
    await clock.advance(1_000);
    expect(settling.update(['a', 'b'])).toBe(false);
    await clock.advance(1_000);
    await clock.advance(1_000);
    expect(heard).toEqual([['a'], ['a', 'b']]);
  });

  it('begins anew when it was away in between, and stops counting at once when it goes', async () => {
    const { clock, settling, heard } = setUp();
    settling.update(['a']);
    await clock.advance(1_500);
    settling.update([]);
    settling.update(['a']);
    await clock.advance(1_500);
    expect(heard.at(-1)).toEqual([]);
    await clock.advance(500);
    expect([heard.at(-1), settling.update([]), settling.settled()]).toEqual([['a'], true, []]);
  });

  it('counts at once what counted before this process', () => {
    const { settling } = setUp(['a']);
    expect([settling.update(['a', 'b']), settling.settled()]).toEqual([true, ['a']]);
  });
});
