import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { Controller } from '../../../controller/contract.js';
import { ListenError } from '../../../controller/kernel/listen.js';
import { startWebServer, type WebServer } from '../../../webapi/rest/server.js';
import type { WatchLimits } from '../../../webapi/rest/watch.js';
import { startController } from '../support.js';

const LIMITS: WatchLimits = { heartbeatMs: 20, stallMs: 1000, maxClients: 2 };
const servers: WebServer[] = [];
let ids = 0;

async function startServer(controller?: Controller): Promise<{ controller: Controller; server: WebServer }> {
  const used = controller ?? (await startController());
  const server = await startWebServer({
    controller: used,
    logger: pino({ level: 'silent' }),
    newRequestId: () => `req-${++ids}`,
    listen: { host: '127.0.0.1', port: 0 },
    watchLimits: LIMITS,
  });
  servers.push(server);
  return { controller: used, server };
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(0)));
});

interface Sent {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly chunks?: readonly (string | Buffer)[];
}

async function send(server: WebServer, path: string, { method = 'GET', headers = {}, chunks = [] }: Sent = {}): Promise<IncomingMessage> {
  const sent = httpRequest({ ...server.address, path, method, headers, agent: false });
  for (const chunk of chunks) sent.write(chunk);
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function typeOf(response: IncomingMessage): Promise<string> {
  return (JSON.parse(await text(response)) as { type: string }).type;
}

/** The next `count` events of a stream, heartbeats left out; `pauseMs` after each piece of it. */
async function events(
  response: IncomingMessage,
  count: number,
  pauseMs = 0,
): Promise<{ event: string; id: string | undefined; data: unknown }[]> {
  const found: { event: string; id: string | undefined; data: unknown }[] = [];
  let rest = '';
  for await (const chunk of response as AsyncIterable<Buffer>) {
    rest += chunk.toString();
    const blocks = rest.split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      if (fields['event'] !== undefined) found.push({ event: fields['event'], id: fields['id'], data: JSON.parse(fields['data']!) });
    }
    if (found.length >= count) break;
    if (pauseMs > 0) await sleep(pauseMs);
  }
  return found;
}

describe('the server', () => {
  it('says in a line why it cannot listen', async () => {
    const { controller, server } = await startServer();
    const options = { controller, logger: pino({ level: 'silent' }), newRequestId: () => '' };
    await expect(startWebServer({ ...options, listen: server.address })).rejects.toEqual(
      new ListenError(`cannot listen on 127.0.0.1:${server.address.port}: another process listens there`),
    );
    await expect(startWebServer({ ...options, listen: { host: '192.0.2.1', port: 0 } })).rejects.toThrow(
      'this machine has no such address',
    );
  });

  it('refuses a body without Content-Type, one that is not UTF-8, and one that grows over the limit', async () => {
    const { server } = await startServer();
    const post = async (headers: Record<string, string>, chunks: readonly (string | Buffer)[]) => {
      const response = await send(server, '/api/segments', { method: 'POST', headers, chunks });
      return [response.statusCode, await typeOf(response)];
    };
    const json = { 'Content-Type': 'application/json' };
    expect([
      await post({}, ['mode=virtual']),
      await post(json, [Buffer.from('{"mode":"\xff"}', 'latin1')]),
      await post(json, ['"', ...Array<string>(40).fill('x'.repeat(65536)), '"']),
    ]).toEqual([
      [415, 'urn:hotori:error:unsupported_media_type'],
      [400, 'urn:hotori:error:malformed_body'],
      [413, 'urn:hotori:error:body_too_large'],
    ]);
  });

  it('answers what is not HTTP, and headers without end, and ends the connection', async () => {
    const { server } = await startServer();
    const raw = async (bytes: string) => {
      const socket = connect(server.address.port, server.address.host);
      socket.write(bytes);
      return (await text(socket)).split('\r\n', 1)[0];
    };
    expect(await raw('\x16\x03\x01\x02\x00\r\n\r\n')).toBe('HTTP/1.1 400 Bad Request');
    expect(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`)).toBe('HTTP/1.1 431 Request Header Fields Too Large');
  });

  it('lets a request finish when it stops, and ends streams at once', async () => {
    const { server, controller } = await startServer();
    const slow = httpRequest({ ...server.address, path: '/api/segments', method: 'POST', headers: { 'Content-Type': 'application/json' } });
    slow.write('{"uuid":"seg-a",');
    const stream = await send(server, '/api/watch');
    const stopped = server.stop(5000);
    await text(stream);
    slow.end('"mode":"virtual"}');
    const [response] = (await once(slow, 'response')) as [IncomingMessage];
    response.resume();
    await stopped;
    expect([response.statusCode, controller.get('segment', 'seg-a')?.view.uuid]).toEqual([200, 'seg-a']);
    servers.length = 0;
  });

  it('cuts off a request that does not end within the time to drain', async () => {
    const { server } = await startServer();
    const stuck = httpRequest({
      ...server.address,
      path: '/api/segments',
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
    });
    stuck.write('{');
    const cut = once(stuck, 'error');
    await sleep(20);
    await server.stop(50);
    expect(((await cut) as [NodeJS.ErrnoException])[0].code).toBe('ECONNRESET');
    servers.length = 0;
  });
});

describe('watching', () => {
  const create = (controller: Controller, uuid: string, display_name = '') =>
    controller.execute([{ verb: 'create', kind: 'segment', params: { uuid, mode: 'virtual', display_name } }]);

  it('gets each revision from the one it asks for, and goes on after Last-Event-ID', async () => {
    const { server, controller } = await startServer();
    for (const uuid of ['seg-a', 'seg-b']) await create(controller, uuid);
    const stream = await send(server, '/api/watch?from=0');
    expect(stream.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const reading = events(stream, 3);
    await create(controller, 'seg-c');
    const seen = await reading;
    const { incarnation } = controller.revision();
    expect(seen.map(({ event, id, data }) => [event, id, (data as { revision: number }).revision])).toEqual(
      [1, 2, 3].map((n) => ['change', `${incarnation}:${n}`, n]),
    );
    expect(seen[2]!.data).toMatchObject({
      revision: 3,
      incarnation,
      changes: [{ op: 'put', kind: 'segment', uuid: 'seg-c', value: { uuid: 'seg-c' } }],
    });

    const again = await events(await send(server, '/api/watch', { headers: { 'Last-Event-ID': seen[1]!.id! } }), 1);
    expect(again.map(({ id }) => id)).toEqual([`${incarnation}:3`]);
  });

  it('starts with the next change when it does not say where from', async () => {
    const { server, controller } = await startServer();
    await create(controller, 'seg-a');
    const reading = events(await send(server, '/api/watch'), 1);
    await controller.execute([{ verb: 'delete', kind: 'segment', uuid: 'seg-a' }]);
    expect((await reading)[0]!.data).toMatchObject({ revision: 2, changes: [{ op: 'delete', kind: 'segment', uuid: 'seg-a' }] });
  });

  it('hears a heartbeat when nothing changes', async () => {
    const { server } = await startServer();
    const stream = await send(server, '/api/watch');
    let seen = '';
    for await (const chunk of stream as AsyncIterable<Buffer>) if (/(: heartbeat\n\n){2}/.test((seen += chunk.toString()))) break;
    expect(seen).toMatch(/^retry: 2000\n\n/);
  });

  it('is refused with 410 from a revision of the future or of another incarnation', async () => {
    const { server } = await startServer();
    for (const from of ['9', 'other:0']) {
      const response = await send(server, `/api/watch?from=${from}`);
      expect([response.statusCode, await typeOf(response)]).toEqual([410, 'urn:hotori:error:compacted']);
    }
  });

  it('is refused when too many watch, until one leaves', async () => {
    const { server } = await startServer();
    const first = await send(server, '/api/watch');
    await send(server, '/api/watch');
    expect((await send(server, '/api/watch')).statusCode).toBe(503);
    first.destroy();
    await sleep(50);
    expect((await send(server, '/api/watch')).statusCode).toBe(200);
  });

  it('that is slow misses nothing, and is dropped when it does not read at all', async () => {
    const { server, controller } = await startServer();
    const reader = await send(server, '/api/watch?from=0');
    const idle = await send(server, '/api/watch?from=0');
    const reading = events(reader, 40, 3);
    // More than the buffers of two sockets hold.
    const display_name = 'x'.repeat(255);
    for (let i = 0; i < 40; i++) {
      const names = Array.from({ length: 800 }, (_, j) => `seg-${i}-${j}`);
      await controller.execute(names.map((uuid) => ({ verb: 'create', kind: 'segment', params: { uuid, mode: 'virtual', display_name } })));
    }
    const seen = await reading;
    expect(seen.map(({ data }) => (data as { revision: number }).revision)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    await sleep(LIMITS.stallMs + 200);
    await expect(text(idle)).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
});
