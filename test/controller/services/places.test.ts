import { Places } from '../../../controller/services/places.js';

describe('places', () => {
  it('are given to so many at a time, in the order they came', async () => {
    const places = new Places(2);
    const log: string[] = [];
    const finish: (() => void)[] = [];
    const work = (name: string) => () => {
      log.push(name);
      return new Promise<string>((resolve) => finish.push(() => resolve(name)));
    };
    const all = ['a', 'b', 'c', 'd'].map((name) => places.take(work(name), 60_000));
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    await settle();
    const started = [log.join('')];
    for (const index of [1, 0, 2, 3]) {
      finish[index]!();
      await settle();
      started.push(log.join(''));
    }
    expect([started, await Promise.all(all)]).toEqual([
      ['ab', 'abc', 'abcd', 'abcd', 'abcd'],
      ['a', 'b', 'c', 'd'],
    ]);
  });

  it('are not given to who has waited long enough, and are free again after work that fails', async () => {
    const places = new Places(1);
    let fail!: (error: Error) => void;
    const first = places.take(() => new Promise<never>((_resolve, reject) => (fail = reject)), 60_000);
    expect(await places.take(() => Promise.resolve('late'), 1)).toBeUndefined();
    fail(new Error('no'));
    await expect(first).rejects.toThrow('no');
    expect(await places.take(() => Promise.resolve('next'), 1)).toBe('next');
  });
});
