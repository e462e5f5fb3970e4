/**
 * What a member of the bus over Redis hears before it is all there, and after clocks were set.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { jest } from '@jest/globals';
import type { Bus } from '../../controller/bus/contract.js';
import { RedisBus } from '../../controller/bus/redis-bus.js';
import type { RedisArg, RedisLine } from '../../controller/bus/redis-line.js';
import { redisAccess } from '../../controller/redis/access.js';
import { RedisConnections } from '../../controller/redis/connections.js';
import { eventually } from '../lab/eventually.js';
import { redisSettings } from './redis-settings.js';
import { redisOfFile } from './redis-world.js';

type Seen = (args: readonly RedisArg[]) => Promise<void> | void;

const server = redisOfFile();
let closing: (() => Promise<void>)[];
let stop: AbortController;
let worlds = 0;
beforeEach(() => {
  worlds++;
  closing = [];
  stop = new AbortController();
});
afterEach(async () => {
  jest.restoreAllMocks();
  stop.abort();
  for (const close of closing) await close();
});

/** @param seen is told of each command before it is sent, and may hold it up */
function enter(member: string, seen: Seen = () => undefined): Bus {
  const access = redisAccess(redisSettings(server().url, { redis_prefix: `test${worlds}` }));
  const redis = new RedisConnections({ access, random: { bytes: randomBytes }, name: member });
  const [commands, blocking] = [watched(redis.link('bus'), seen), watched(redis.link('bus-reader'), seen)];
  const bus = new RedisBus({ member, prefix: redis.keyPrefix, commands, blocking, beatMs: 200 });
  closing.push(async () => {
    await bus.close();
    await redis.close();
  });
  return bus;
}

function watched(line: RedisLine, seen: Seen): RedisLine {
  return {
    get isConnected() {
      return line.isConnected;
    },
    get generation() {
      return line.generation;
    },
    call: async (args, options) => {
      await seen(args);
      return line.call(args, options);
    },
  };
}

/** Resolves once others can see it. */
async function echo(bus: Bus): Promise<void> {
  bus.serve('echo', ({ payload }) => Promise.resolve(payload), stop.signal);
  await eventually('somebody serving', async () => (await bus.list('serve:echo')).size === 1, { everyMs: 5 });
}

async function ask(bus: Bus): Promise<number> {
  return (await bus.request('echo', new Uint8Array(7), { timeoutMs: 5_000 })).payload.length;
}

describe('a member of the Redis bus', () => {
  it('is answered when it asks before it has an inbox', async () => {
    const server = enter('server');
    await echo(server);
    const client = enter('client', async ([command]) => {
      // Time enough for the answer to come first.
      if (command === 'XREVRANGE') await sleep(300);
    });
    expect(await ask(client)).toBe(7);
  });

  it('is asked only when it has an inbox', async () => {
    const client = enter('client');
    const server = enter('server', async ([command]) => {
      if (command === 'XREVRANGE') await sleep(300);
    });
    await echo(server);
    expect(await ask(client)).toBe(7);
  });

  it('waits for long only in a read that what comes meanwhile can end', async () => {
    let begin!: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const reads: { readonly isLong: boolean; readonly hasInbox: boolean }[] = [];
    const bus = enter('slow', async (args) => {
      const words = args.map(String);
      // Its inbox is found only after it has begun to read something else.
      if (words[0] === 'XREVRANGE') await begun;
      if (words[0] !== 'XREAD') return;
      reads.push({ isLong: Number(words[words.indexOf('BLOCK') + 1]) > 100, hasInbox: words.some((word) => word.includes(':in:')) });
      begin();
    });
    const rows: number[] = [];
    bus.watch('table', (change) => rows.push(change.size), stop.signal);
    await echo(bus);
    expect(await ask(bus)).toBe(7);
    expect(rows).toEqual([0]);
    expect(reads[0]!.hasInbox).toBe(false);
    expect(reads.filter(({ isLong, hasInbox }) => isLong && !hasInbox)).toEqual([]);
  });

  it('is asked again after the clock of Redis was set back', async () => {
    const bus = enter('member');
    await echo(bus);
    expect(await ask(bus)).toBe(7);
    // The same, seen from here: it is later than Redis says.
    const now = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
    await eventually('requests being heard', () =>
      bus.request('echo', new Uint8Array(7), { timeoutMs: 1_000 }).then(
        () => true,
        () => false,
      ),
    );
  });
});
