import { setImmediate } from 'node:timers/promises';
import { Turns } from '../../../datapath/agent/turns.js';

describe('turns', () => {
  it('are taken in the order they were asked for, each in a turn of the event loop of its own', async () => {
    const turns = new Turns();
    const done: string[] = [];
    const work = (name: string) => () => void done.push(name);
    for (const name of ['a', 'b', 'c']) turns.ask(work(name));
    const seen: string[][] = [[...done]];
    for (let i = 0; i < 3; i++) {
      await setImmediate();
      seen.push([...done]);
      if (i === 1) turns.ask(work('d'));
    }
    await setImmediate();
    expect([...seen, done]).toEqual([[], ['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c', 'd']]);
  });
});
