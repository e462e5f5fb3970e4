import { setImmediate } from 'node:timers/promises';
import { Turns } from '../../../datapath/agent/turns.js';

describe('turns', () => {
  it('are taken in the order they were asked for, short ones in one turn of the event loop, with a pause behind a long one', async () => {
    let now = 0;
    const turns = new Turns(() => now);
    const done: string[] = [];
    const work = (name: string, ms: number) => () => {
      now += ms;
      done.push(name);
    };
    for (const [name, ms] of [
      ['a', 1],
      ['b', 1],
      ['c', 500],
      ['d', 1],
    ] as const)
      turns.ask(work(name, ms));
    const seen: string[][] = [[...done]];
    for (let i = 0; i < 2; i++) {
      await setImmediate();
      seen.push([...done]);
    }
    turns.ask(work('e', 1));
    await setImmediate();
    expect([...seen, done]).toEqual([[], ['a', 'b', 'c'], ['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'd', 'e']]);
  });
});
