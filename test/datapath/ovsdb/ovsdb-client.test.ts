import { setTimeout as sleep } from 'node:timers/promises';
import { OvsdbClient } from '../../../datapath/ovsdb/ovsdb-client.js';
import type { RpcLimits } from '../../../datapath/ovsdb/rpc-session.js';
import { ScriptedServer, type Script, type ServerConnection } from './scripted-server.js';

const LOG = { info: () => {}, warn: () => {} };
const FROM_THE_START = '00000000-0000-0000-0000-000000000000';
const vm = (name: string) => ({ Interface: { a: { initial: { name } } } });

interface Case {
  readonly server: ScriptedServer;
  readonly client: OvsdbClient;
  readonly stop: () => Promise<void>;
}

const open: Case[] = [];

/** A client on a server with this script, running. */
async function start(script: Script, limits: Partial<RpcLimits> = {}, greet?: (connection: ServerConnection) => void): Promise<Case> {
  const server = await ScriptedServer.listen(script, greet);
  const client = new OvsdbClient({ endpoint: server.endpoint, random: () => 0, log: LOG, limits, maxBackoffMs: 100 });
  const controller = new AbortController();
  const running = client.run(controller.signal);
  const one: Case = {
    server,
    client,
    stop: async () => {
      controller.abort();
      await running;
      await server.close();
    },
  };
  open.push(one);
  return one;
}

afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});

/** Resolves when the client says that something changed and the condition holds. */
async function until(client: OvsdbClient, condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise<void>((resolve) => {
      const unsubscribe = client.subscribe(() => {
        unsubscribe();
        resolve();
      });
    });
  }
}

function names(client: OvsdbClient): string[] {
  return [...client.tables!.Interface.values()].map((row) => row.name).sort();
}

const synced: Script = (message, connection) => {
  if (message.method === 'monitor_cond_since') connection.reply(message, [false, FROM_THE_START, vm('vm1')]);
};

describe('OvsdbClient', () => {
  it('client has the tables once the monitor is answered, updates of the same read included', async () => {
    const { client } = await start((message, connection) => {
      if (message.method !== 'monitor_cond_since') return;
      const answer = JSON.stringify({ id: message.id, result: [false, FROM_THE_START, vm('vm1')], error: null });
      const update = JSON.stringify({
        method: 'update3',
        id: null,
        params: ['hotori', FROM_THE_START, { Interface: { b: { insert: { name: 'vm2' } } } }],
      });
      connection.send(Buffer.from(answer + update));
    });
    await until(client, () => client.isSynced);
    expect(names(client)).toEqual(['vm1', 'vm2']);
  });

  it('client falls back to monitor when the server does not know monitor_cond_since', async () => {
    const { client, server } = await start((message, connection) => {
      if (message.method === 'monitor_cond_since') connection.reply(message, null, 'unknown method');
      else if (message.method === 'monitor') connection.reply(message, { Interface: { a: { new: { name: 'vm1' } } } });
    });
    await until(client, () => client.isSynced);
    server.connections[0]!.send({ method: 'update', id: null, params: ['hotori', { Interface: { b: { new: { name: 'vm2' } } } }] });
    await until(client, () => names(client).length === 2);
    expect(names(client)).toEqual(['vm1', 'vm2']);
  });

  it('client answers echo and sends its own after silence', async () => {
    const { client, server } = await start(
      (message, connection) => {
        synced(message, connection);
        if (message.method === 'echo') connection.reply(message, message.params);
      },
      { probeIntervalMs: 20 },
    );
    await until(client, () => client.isSynced);
    const [connection] = server.connections;
    connection!.send({ method: 'echo', id: 'are you there', params: ['x'] });
    await sleep(150);
    expect(connection!.received).toContainEqual({ id: 'are you there', result: ['x'], error: null });
    expect(connection!.received.filter((message) => message.method === 'echo').length).toBeGreaterThan(1);
    expect([client.isSynced, server.connections.length]).toEqual([true, 1]);
  });

  it('client leaves a silent server and connects again', async () => {
    const { client, server } = await start(synced, { probeIntervalMs: 20 });
    await until(client, () => client.isSynced);
    await until(client, () => !client.isSynced);
    expect(client.lastError).toMatchObject({ code: 'timeout' });
    await until(client, () => client.isSynced);
    expect(server.connections.length).toBe(2);
  });

  it('client keeps the last tables while it is away and replaces them whole when it is back', async () => {
    let answer = vm('vm1');
    const { client, server } = await start((message, connection) => {
      if (message.method === 'monitor_cond_since') connection.reply(message, [false, FROM_THE_START, answer]);
    });
    await until(client, () => client.isSynced);
    answer = vm('vm9');
    server.connections[0]!.hangUp();
    await until(client, () => !client.isSynced);
    expect(names(client)).toEqual(['vm1']);
    await until(client, () => client.isSynced);
    expect(names(client)).toEqual(['vm9']);
  });

  it('transaction is refused with the first error of its operations', async () => {
    const { client } = await start((message, connection) => {
      synced(message, connection);
      const error = { error: 'constraint violation', details: 'two rows named br-int' };
      if (message.method === 'transact') connection.reply(message, [{ uuid: ['uuid', 'x'] }, error, null]);
    });
    await until(client, () => client.isSynced);
    await expect(client.transact([{ op: 'comment', comment: '' }])).rejects.toMatchObject({
      code: 'refused',
      message: 'the OVSDB server refuses: constraint violation: two rows named br-int',
    });
  });

  it('transaction is sent to the Open_vSwitch database and gives one result per operation', async () => {
    const { client, server } = await start((message, connection) => {
      synced(message, connection);
      if (message.method === 'transact') connection.reply(message, [{ count: 1 }, {}]);
    });
    await until(client, () => client.isSynced);
    const operation = { op: 'comment', comment: 'hello' } as const;
    expect(await client.transact([operation, operation])).toEqual([{ count: 1 }, {}]);
    expect(server.connections[0]!.received.at(-1)!.params).toEqual(['Open_vSwitch', operation, operation]);
  });

  it('pending transaction settles when the answer is late, the connection ends, or the caller gives up', async () => {
    const { client, server } = await start(synced, { requestTimeoutMs: 50 });
    await until(client, () => client.isSynced);
    const abort = new AbortController();
    const late = client.transact([]);
    const givenUp = client.transact([], abort.signal);
    abort.abort();
    await expect(givenUp).rejects.toMatchObject({ code: 'aborted' });
    await expect(late).rejects.toMatchObject({ code: 'timeout' });
    const cut = client.transact([]);
    server.connections[0]!.hangUp();
    await expect(cut).rejects.toMatchObject({ code: 'disconnected' });
    await expect(client.transact([])).rejects.toMatchObject({ code: 'disconnected' });
  });

  it.each<[string, Buffer | object]>([
    ['bytes that are no JSON', Buffer.from('HTTP/1.1 400 Bad Request\r\n')],
    ['a list', []],
    ['a method without params', { method: 'update3', id: null }],
    [
      'an update that does not fit',
      { method: 'update3', id: null, params: ['hotori', FROM_THE_START, { Interface: { z: { modify: {} } } }] },
    ],
    ['a message beyond the limit', { method: 'x', id: null, params: ['x'.repeat(20_000)] }],
  ])('client leaves a server that sends %s and keeps its tables', async (_name, bytes) => {
    const { client, server } = await start(synced, { maxMessageBytes: 10_000 });
    await until(client, () => client.isSynced);
    server.connections[0]!.send(bytes);
    await until(client, () => !client.isSynced);
    expect([client.lastError?.code, names(client)]).toEqual(['protocol', ['vm1']]);
    await until(client, () => client.isSynced);
  });

  it('client does not care for updates of other monitors, strange notifications and late answers', async () => {
    const { client, server } = await start(synced);
    await until(client, () => client.isSynced);
    const [connection] = server.connections;
    connection!.send({ method: 'update3', id: null, params: ['other', FROM_THE_START, 'nonsense'] });
    connection!.send({ method: 'stolen', id: null, params: ['lock'] });
    connection!.send({ id: 4711, result: {}, error: null });
    connection!.send({ method: 'surprise', id: 5, params: [] });
    connection!.send({ method: 'update3', id: null, params: ['hotori', FROM_THE_START, { Interface: { a: { modify: { ofport: 7 } } } }] });
    await until(client, () => client.tables!.Interface.get('a')?.ofport === 7);
    expect(server.connections.length).toBe(1);
  });

  it('client leaves a server that floods it with updates before answering', async () => {
    const flood = Array.from({ length: 2_000 }, () => JSON.stringify({ method: 'update3', id: null, params: ['hotori', '', {}] })).join('');
    const { client } = await start(
      () => {},
      {},
      (connection) => connection.send(Buffer.from(flood)),
    );
    await until(client, () => client.lastError !== undefined);
    expect([client.lastError?.code, client.tables]).toEqual(['protocol', undefined]);
  });

  it('client pauses ever longer against a server that hangs up at once, and stops at once when told to', async () => {
    const { server, stop } = await start(synced, {}, (connection) => connection.hangUp());
    await sleep(400);
    await stop();
    open.pop();
    const attempts = server.connections.length;
    expect(attempts).toBeGreaterThan(2);
    expect(attempts).toBeLessThan(10);
  });
});
