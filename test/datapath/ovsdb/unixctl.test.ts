import net from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { findControlSocket } from '../../../datapath/ovsdb/control-socket.js';
import { Unixctl } from '../../../datapath/ovsdb/unixctl.js';

let directory: string;
let server: net.Server | undefined;
beforeEach(async () => (directory = await mkdtemp(path.join(os.tmpdir(), 'unixctl-'))));
afterEach(async () => {
  server?.close();
  server = undefined;
  await rm(directory, { recursive: true });
});

async function daemon(answer: (text: string, socket: net.Socket) => void): Promise<string> {
  const socket = path.join(directory, 'daemon.ctl');
  server = net.createServer((one) => one.on('data', (chunk) => answer(chunk.toString(), one)));
  await new Promise<void>((resolve) => server!.listen(socket, resolve));
  return socket;
}

describe('commands to a daemon', () => {
  it('are answered in order, refusals among them', async () => {
    const socket = await daemon((text, one) => {
      for (const line of text.split('}').filter((part) => part !== '')) {
        const { id, method } = JSON.parse(`${line}}`) as { id: number; method: string };
        one.write(
          JSON.stringify(method === 'bad' ? { id, result: null, error: 'no such command\n' } : { id, result: method, error: null }),
        );
      }
    });
    const unixctl = await Unixctl.connect(socket);
    const answers = await Promise.allSettled([unixctl.command('one'), unixctl.command('bad'), unixctl.command('two')]);
    unixctl.close();
    expect(answers.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message))).toEqual([
      'one',
      'no such command',
      'two',
    ]);
  });

  it('fail when the daemon goes away, or says what is no answer', async () => {
    const socket = await daemon((text, one) => (text.includes('leave') ? one.destroy() : one.write('nonsense')));
    for (const command of ['leave', 'speak']) {
      const unixctl = await Unixctl.connect(socket);
      await expect(unixctl.command(command)).rejects.toThrow('the daemon closed the connection');
    }
  });
});

describe('the control socket of ovs-vswitchd', () => {
  it('is found by its name or by the pid, beside the socket of OVSDB, and not on another host', async () => {
    const endpoint = { kind: 'unix', path: path.join(directory, 'db.sock') } as const;
    const found = [await findControlSocket(endpoint)];
    await writeFile(path.join(directory, 'ovs-vswitchd.ctl'), '');
    found.push(await findControlSocket(endpoint));
    await writeFile(path.join(directory, 'ovs-vswitchd.pid'), '77\n');
    await writeFile(path.join(directory, 'ovs-vswitchd.77.ctl'), '');
    found.push(await findControlSocket(endpoint));
    found.push(await findControlSocket({ kind: 'tcp', host: '192.0.2.1', port: 6640 }));
    expect(found.map((socket) => socket && path.basename(socket))).toEqual([
      undefined,
      'ovs-vswitchd.ctl',
      'ovs-vswitchd.77.ctl',
      undefined,
    ]);
  });
});
