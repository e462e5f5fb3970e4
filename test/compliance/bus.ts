/**
 * What every bus keeps to. Each implementation runs it in a test file of its own.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { BusError, type Bus, type TableChange } from '../../controller/bus/contract.js';
import { eventually } from '../lab/eventually.js';

export interface BusWorld {
  /** @param isSlow as with the beats of production: what is large is in the way of signs of life */
  join(member: string, isSlow?: boolean): Promise<Bus>;
  /** Nothing goes in or out of the member, and nobody tells it: what others see of a paused process. */
  silence(member: string): void;
  /** The member's connections break, and cannot be made again. */
  sever(member: string): void;
  restore(member: string): void;
  /** The transport dies for all, and is back later with what it had; undefined where there is none. */
  readonly restartTransport: (() => Promise<void>) | undefined;
  destroy(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);
const digest = (payload: Uint8Array): string => createHash('sha256').update(payload).digest('hex');
const QUICK = { timeoutMs: 10_000 };

export function busCompliance(name: string, makeWorld: () => Promise<BusWorld>): void {
  jest.setTimeout(60_000);
  describe(`${name} bus`, () => {
    let world: BusWorld;
    let stop: AbortController;
    let members: Bus[];
    beforeEach(async () => {
      world = await makeWorld();
      stop = new AbortController();
      members = [];
    });
    afterEach(async () => {
      stop.abort();
      await Promise.all(members.map((bus) => bus.close()));
      await world.destroy();
    });

    const join = async (member: string, isSlow = false): Promise<Bus> => {
      const bus = await world.join(member, isSlow);
      members.push(bus);
      return bus;
    };
    /** Serves with the member's own name, and records what it was asked. */
    const serve = (bus: Bus, subject = 'ask', answer = (question: string) => Promise.resolve(`${bus.member}:${question}`)): string[] => {
      const asked: string[] = [];
      bus.serve(
        subject,
        async ({ payload }) => {
          asked.push(text(payload));
          return bytes(await answer(text(payload)));
        },
        stop.signal,
      );
      return asked;
    };
    const ask = async (bus: Bus, question: string, options = {}): Promise<string> =>
      text((await bus.request('ask', bytes(question), { ...QUICK, ...options })).payload);
    const codeOf = async (promise: Promise<unknown>): Promise<string> => {
      try {
        await promise;
        return 'answered';
      } catch (error) {
        return error instanceof BusError ? error.code : String(error);
      }
    };
    const servers = async (client: Bus, count: number, subject = 'ask'): Promise<void> => {
      await eventually('all servers being known', async () => {
        const seen = new Set<string>();
        for (let index = 0; index < count * 4; index++) seen.add((await client.request(subject, bytes('?'), QUICK)).server);
        return seen.size === count;
      });
    };

    it('has each request answered by exactly one of those who serve', async () => {
      const client = await join('client');
      const asked = [serve(await join('a')), serve(await join('b')), serve(await join('c'))];
      await servers(client, 3);
      for (const list of asked) list.length = 0;
      const questions = Array.from({ length: 60 }, (_, index) => `q${index}`);
      const answers = await Promise.all(questions.map((question) => ask(client, question)));
      expect(answers.map((answer) => answer.slice(2))).toEqual(questions);
      expect(asked.flat().sort()).toEqual([...questions].sort());
      expect(asked.every((list) => list.length > 0)).toBe(true);
    });

    it('hands requests of one client to one server in their order', async () => {
      const client = await join('client');
      const asked = serve(await join('a'));
      await servers(client, 1);
      asked.length = 0;
      const questions = Array.from({ length: 200 }, (_, index) => `q${index}`);
      await Promise.all(questions.map((question) => ask(client, question)));
      expect(asked).toEqual(questions);
    });

    it('says that nobody serves, and that a server has failed', async () => {
      const client = await join('client');
      expect(await codeOf(ask(client, 'anybody?'))).toBe('no_server');
      const a = await join('a');
      serve(a, 'ask', () => Promise.reject(new Error('secret')));
      const failure = await eventually('the server being known', () =>
        ask(client, 'x').catch((error: unknown) => ((error as BusError).code === 'no_server' ? undefined : (error as BusError))),
      );
      expect([(failure as BusError).code, (failure as BusError).server, (failure as BusError).message.includes('secret')]).toEqual([
        'failed',
        'a',
        false,
      ]);
      expect(await codeOf(ask(client, 'x', { except: ['a'] }))).toBe('no_server');
    });

    it('ends a request by its time-out or its signal', async () => {
      const client = await join('client');
      serve(await join('a'), 'ask', (question) => (question === '?' ? Promise.resolve('') : new Promise(() => undefined)));
      await servers(client, 1);
      expect(await codeOf(ask(client, 'x', { timeoutMs: 100 }))).toBe('timeout');
      const abort = new AbortController();
      const asking = ask(client, 'x', { signal: abort.signal });
      setTimeout(() => abort.abort(new Error('enough')), 20);
      await expect(asking).rejects.toThrow('enough');
    });

    it('reports the loss of a server that was asked, and asks the others', async () => {
      const client = await join('client');
      for (const member of ['a', 'b'])
        serve(await join(member), 'ask', (question) => (question === '?' ? Promise.resolve('') : new Promise(() => undefined)));
      await servers(client, 2);
      const asking = client.request('ask', bytes('x'), { timeoutMs: 60_000, except: ['b'] });
      await sleep(50);
      world.silence('a');
      expect(await codeOf(asking)).toBe('server_lost');
      expect((await client.request('ask', bytes('?'), QUICK)).server).toBe('b');
      world.restore('a');
      await servers(client, 2);
    });

    it('reports a server whose connection broke or which was closed', async () => {
      const client = await join('client');
      const [a, b] = [await join('a'), await join('b')];
      for (const bus of [a, b]) serve(bus, 'ask', (question) => (question === '?' ? Promise.resolve('') : new Promise(() => undefined)));
      await servers(client, 2);
      const [one, other] = [
        client.request('ask', bytes('x'), { timeoutMs: 60_000, except: ['b'] }),
        client.request('ask', bytes('x'), { timeoutMs: 60_000, except: ['a'] }),
      ];
      await sleep(50);
      world.sever('a');
      await b.close();
      expect(await Promise.all([codeOf(one), codeOf(other)])).toEqual(['server_lost', 'server_lost']);
    });

    it('stops sending requests to who stops serving', async () => {
      const client = await join('client');
      const a = await join('a');
      const ending = new AbortController();
      a.serve('ask', () => Promise.resolve(bytes('a')), ending.signal);
      await servers(client, 1);
      ending.abort();
      await eventually('nobody serving', async () => (await codeOf(ask(client, 'x'))) === 'no_server');
    });

    it('carries large requests and answers', async () => {
      const client = await join('client', true);
      const a = await join('a', true);
      a.serve('ask', ({ payload }) => Promise.resolve(payload), stop.signal);
      await servers(client, 1);
      const large = Uint8Array.from({ length: 41 * 1024 * 1024 }, (_, index) => (index * 31) >> 3);
      const { payload } = await client.request('ask', large, { timeoutMs: 90_000 });
      expect(digest(payload)).toBe(digest(large));
      expect(await codeOf(client.request('ask', new Uint8Array(65 * 1024 * 1024), QUICK))).toBe('too_large');
      const empty = await client.request('ask', new Uint8Array(0), QUICK);
      expect(empty.payload.length).toBe(0);
    }, 100_000);

    const readAll = (bus: Bus, topic: string, after = 0): { got: [number, string][]; gaps: [number, number][] } => {
      const seen: { got: [number, string][]; gaps: [number, number][] } = { got: [], gaps: [] };
      const onMessage = ({ position, payload }: { position: number; payload: Uint8Array }): void =>
        void seen.got.push([position, payload.length > 100 ? digest(payload) : text(payload)]);
      bus.read(topic, after, { onMessage, onGap: (last, next) => seen.gaps.push([last, next]) }, stop.signal);
      return seen;
    };

    it('hands the messages of a topic to every reader, in order, from where it wants', async () => {
      const [writing, reading] = [await join('w'), await join('r')];
      const writer = writing.write('t', { keep: 10_000 });
      const early = readAll(reading, 't');
      const positions = Array.from({ length: 500 }, (_, index) => writer.append(bytes(`m${index + 1}`)));
      await writer.flushed();
      const [late, middle] = [readAll(reading, 't'), readAll(writing, 't', 250)];
      writer.append(bytes('m501'));
      const all = [...positions, 501].map((position) => [position, `m${position}`]);
      await eventually('all having come', () => [early, late, middle].every(({ got }) => got.at(-1)?.[0] === 501));
      expect([early, late, middle]).toEqual([
        { got: all, gaps: [] },
        { got: all, gaps: [] },
        { got: all.slice(250), gaps: [] },
      ]);
    });

    it('carries large messages of a topic between small ones', async () => {
      const [writing, reading] = [await join('w'), await join('r')];
      const writer = writing.write('t', { keep: 1000 });
      const large = Uint8Array.from({ length: 5 * 1024 * 1024 + 7 }, (_, index) => index % 251);
      for (const message of [bytes('a'), large, bytes('b')]) writer.append(message);
      const seen = readAll(reading, 't');
      await eventually('all having come', () => seen.got.length === 3);
      expect(seen).toEqual({
        got: [
          [1, 'a'],
          [2, digest(large)],
          [3, 'b'],
        ],
        gaps: [],
      });
    });

    it('tells a slow reader which messages were trimmed', async () => {
      const [writing, reading] = [await join('w'), await join('r')];
      const writer = writing.write('t', { keep: 100 });
      const seen = readAll(reading, 't');
      writer.append(bytes('m1'));
      await eventually('the first having come', () => seen.got.length === 1);
      world.silence('r');
      for (let index = 2; index <= 3000; index++) writer.append(bytes(`m${index}`));
      await writer.flushed();
      world.restore('r');
      await eventually('the last having come', () => seen.got.at(-1)?.[0] === 3000, { timeoutMs: 20_000 });
      expect(holes(seen.got.map(([position]) => position))).toEqual(seen.gaps);
      expect(seen.gaps.length).toBeGreaterThan(0);
      expect(seen.got.every(([position, message]) => message === `m${position}`)).toBe(true);
    });

    it('keeps what is written while the transport is away', async () => {
      const [writing, reading] = [await join('w'), await join('r')];
      const writer = writing.write('t', { keep: 10_000 });
      const seen = readAll(reading, 't');
      writer.append(bytes('m1'));
      await eventually('the first having come', () => seen.got.length === 1);
      world.sever('w');
      for (let index = 2; index <= 300; index++) writer.append(bytes(`m${index}`));
      await sleep(300);
      world.restore('w');
      await eventually('the last having come', () => seen.got.length === 300, { timeoutMs: 20_000 });
      expect(seen).toEqual({ got: Array.from({ length: 300 }, (_, index) => [index + 1, `m${index + 1}`]), gaps: [] });
    });

    const watchAll = (bus: Bus, table: string): { now: Map<string, string>; told: string[][] } => {
      const seen = { now: new Map<string, string>(), told: [] as string[][] };
      const sink = (change: TableChange): void => {
        seen.told.push([...change].map(([key, value]) => `${key}=${value === undefined ? '' : text(value)}`).sort());
        for (const [key, value] of change)
          if (value === undefined) seen.now.delete(key);
          else seen.now.set(key, text(value));
      };
      bus.watch(table, sink, stop.signal);
      return seen;
    };

    it('shows a table to its watchers, and what changes', async () => {
      const [a, b] = [await join('a'), await join('b')];
      const empty = watchAll(b, 'none');
      await a.put('t', 'x', bytes('1'), 60_000);
      const seen = watchAll(b, 't');
      await eventually('the value being seen', () => seen.now.get('x') === '1');
      await a.put('t', 'y', bytes('2'), 60_000);
      await a.put('t', 'x', bytes('1'), 60_000);
      await a.put('t', 'x', bytes('3'), 60_000);
      await a.remove('t', 'y');
      await eventually('the changes being seen', () => seen.now.get('x') === '3' && !seen.now.has('y'));
      expect(seen.told.filter((change) => change.includes('x=1'))).toHaveLength(1);
      expect([...(await b.list('t'))].map(([key, value]) => [key, text(value)])).toEqual([['x', '3']]);
      await eventually('the empty table being shown', () => empty.told.length > 0);
      expect(empty.told).toEqual([[]]);
    });

    it('drops values whose time is over, unless they are set again', async () => {
      const [a, b] = [await join('a'), await join('b')];
      const seen = watchAll(b, 't');
      await a.put('t', 'short', bytes('1'), 400);
      await a.put('t', 'kept', bytes('1'), 400);
      await eventually('both being seen', () => seen.now.size === 2);
      const keeping = setInterval(() => void a.put('t', 'kept', bytes('1'), 1_000), 100);
      await eventually('the one being gone', () => !seen.now.has('short'));
      clearInterval(keeping);
      expect([[...seen.now.keys()], [...(await a.list('t')).keys()]]).toEqual([['kept'], ['kept']]);
      await eventually('the other being gone', () => !seen.now.has('kept'));
    });

    it('brings a watcher that was away to the present', async () => {
      const [a, b] = [await join('a'), await join('b')];
      await a.put('t', 'old', bytes('1'), 60_000);
      await a.put('t', 'same', bytes('1'), 60_000);
      const seen = watchAll(b, 't');
      await eventually('the values being seen', () => seen.now.size === 2);
      world.sever('b');
      await a.remove('t', 'old');
      for (let index = 0; index < 2_000; index++) await a.put('t', `k${index % 10}`, bytes(String(index)), 60_000);
      world.restore('b');
      const expected = { same: '1', ...Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`k${index}`, String(1990 + index)])) };
      await eventually(
        'the present being seen',
        () => JSON.stringify([...seen.now].sort()) === JSON.stringify(Object.entries(expected).sort()),
      );
    });

    it('goes on after the transport was restarted', async () => {
      if (world.restartTransport === undefined) return;
      const [a, b] = [await join('a'), await join('b')];
      serve(a);
      await servers(b, 1);
      const writer = a.write('t', { keep: 10_000 });
      const [seen, table] = [readAll(b, 't'), watchAll(b, 'table')];
      writer.append(bytes('m1'));
      await a.put('table', 'x', bytes('1'), 60_000);
      await eventually('all having come', () => seen.got.length === 1 && table.now.size === 1);
      const restarted = world.restartTransport();
      for (let index = 2; index <= 100; index++) writer.append(bytes(`m${index}`));
      await restarted;
      await eventually('the messages having come', () => seen.got.length === 100, { timeoutMs: 20_000 });
      expect(seen).toEqual({ got: Array.from({ length: 100 }, (_, index) => [index + 1, `m${index + 1}`]), gaps: [] });
      await eventually('requests being answered', async () => (await ask(b, 'x')) === 'a:x', { timeoutMs: 20_000 });
      await eventually('tables being written', async () => {
        await a.put('table', 'x', bytes('2'), 60_000);
        return true;
      });
      await eventually('the table being seen', () => table.now.get('x') === '2');
    });

    it('fails what waits when it is closed, and everything after', async () => {
      const client = await join('client');
      serve(await join('a'), 'ask', (question) => (question === '?' ? Promise.resolve('') : new Promise(() => undefined)));
      await servers(client, 1);
      const asking = codeOf(ask(client, 'x'));
      await sleep(50);
      await client.close();
      expect([await asking, await codeOf(ask(client, 'x')), await codeOf(client.put('t', 'x', bytes('1'), 1000))]).toEqual([
        'closed',
        'closed',
        'closed',
      ]);
    });
  });
}

/** The [last, next] of every hole in rising positions that begin with 1. */
function holes(positions: readonly number[]): [number, number][] {
  return positions.flatMap((position, index) => {
    const before = positions[index - 1] ?? 0;
    return position === before + 1 ? [] : [[before, position] as [number, number]];
  });
}
