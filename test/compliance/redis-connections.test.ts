import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '../../controller/kernel/ambient.js';
import { redisAccess } from '../../controller/redis/access.js';
import { RedisConnections } from '../../controller/redis/connections.js';
import { RedisError } from '../../controller/redis/errors.js';
import { freePort } from '../lab/free-port.js';
import { RedisServer } from '../lab/redis.js';
import { redisSettings } from './redis-settings.js';

describe('a link to Redis', () => {
  let dir: string;
  let server: RedisServer;
  let connections: RedisConnections;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hotori-redis-'));
    server = await RedisServer.start(dir);
    connections = connect(server.url);
  });
  afterEach(async () => {
    await connections.close();
    await server.stop();
    await rm(dir, { recursive: true });
  });

  const connect = (url: string) => new RedisConnections({ access: redisAccess(redisSettings(url)), random: systemRandom, name: 'test' });

  async function errorOf(promise: Promise<unknown>): Promise<{ code: string; sent: boolean; reply: string | undefined; message: string }> {
    try {
      await promise;
    } catch (error) {
      if (error instanceof RedisError) return { code: error.code, sent: error.sent, reply: error.reply, message: error.message };
      throw error;
    }
    throw new Error('nothing was thrown');
  }

  it('answers with what Redis answers', async () => {
    const link = connections.link('commands');
    expect(await link.call(['HSET', 'h', 'a', Buffer.from([0, 255])])).toBe(1);
    expect(await link.call(['HGETALL', 'h'])).toEqual([Buffer.from('a'), Buffer.from([0, 255])]);
    expect(await link.call(['GET', 'nothing'])).toBeNull();
    expect(await errorOf(link.call(['GET', 'h']))).toMatchObject({ code: 'refused', reply: 'WRONGTYPE' });
    expect(connections.states()).toEqual(new Map([['commands', { state: 'connected', address: `127.0.0.1:${server.port}` }]]));
    expect(await server.cli('client', 'list')).toContain('name=test-commands ');
  });

  it('says that a command may have been executed when the connection goes with it, and serves the next one', async () => {
    const link = connections.link('commands');
    await link.call(['SET', 'a', '1']);
    const blocked = errorOf(link.call(['BLPOP', 'list', 0], { timeoutMs: 60_000 }));
    await server.kill9();
    expect(await blocked).toMatchObject({ code: 'unavailable', sent: true });
    const next = link.call(['GET', 'a']);
    await server.run();
    expect(await next).toEqual(Buffer.from('1'));
  });

  it('gives up a server that does not answer, and takes it back when it does', async () => {
    const link = connections.link('commands');
    await link.call(['PING']);
    server.signal('SIGSTOP');
    expect(await errorOf(link.call(['PING'], { timeoutMs: 100 }))).toMatchObject({ code: 'unavailable', sent: true });
    server.signal('SIGCONT');
    expect(await link.call(['PING'])).toEqual(Buffer.from('PONG'));
  });

  it('tells that nothing was sent when there is no server', async () => {
    const lonely = connect(`redis://127.0.0.1:${await freePort()}`);
    expect(await errorOf(lonely.link('commands').call(['PING'], { timeoutMs: 300 }))).toMatchObject({
      code: 'unavailable',
      sent: false,
      message: expect.stringContaining('ECONNREFUSED'),
    });
    await lonely.close();
  });

  it('ends what waits when it is closed or called off', async () => {
    const link = connections.link('blocking');
    const stop = new AbortController();
    const off = link.call(['BLPOP', 'list', 0], { timeoutMs: 60_000, signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(off).rejects.toThrow('enough');
    const closed = errorOf(connections.link('other').call(['BLPOP', 'list', 0], { timeoutMs: 60_000 }));
    await connections.close();
    expect(await closed).toMatchObject({ code: expect.stringMatching(/closed|unavailable/) });
    expect(await errorOf(link.call(['PING']))).toMatchObject({ code: 'closed', sent: false });
  });
});
