import type { TableChange } from '../../controller/bus/contract.js';
import { Roster } from '../../controller/bus/roster.js';

describe('a roster of servers', () => {
  const watches = new Map<string, { readonly sink: (change: TableChange) => void; readonly signal: AbortSignal }>();
  const followed = () => [...watches].flatMap(([subject, { signal }]) => (signal.aborted ? [] : subject));
  const lost: string[] = [];
  const roster = (followMs: number) =>
    new Roster({
      member: 'client',
      followMs,
      watch: (subject, sink, signal) => watches.set(subject, { sink, signal }),
      onLost: (server, subject) => lost.push(`${server} ${subject}`),
    });

  it('follows a subject while it is asked for, and not for ever after', async () => {
    const one = roster(0);
    const told = one.with('a', async ({ known, live }) => {
      await known;
      one.tidy();
      return [...live];
    });
    watches.get('a')!.sink(new Map([['x', new Uint8Array()]]));
    expect(await told).toEqual(['x']);
    expect(followed()).toEqual(['a']);
    watches.get('a')!.sink(new Map([['x', undefined]]));
    expect(lost).toEqual(['x a']);
    while (followed().length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      one.tidy();
    }
    await one.with('a', () => Promise.resolve());
    expect(followed()).toEqual(['a']);
    one.close();
    expect(followed()).toEqual([]);
  });

  it('follows a subject for a while after it was asked for', async () => {
    const one = roster(60_000);
    await one.with('b', () => Promise.resolve());
    one.tidy();
    expect(followed()).toEqual(['b']);
  });
});
