/**
 * A program in a VM that answers and asks: TCP and UDP servers on given ports, probes of others, and streams of numbered datagrams.
 *
 * Usage: node probe-agent.js SOCKET PORT… Commands and answers are lines of JSON over the Unix socket, which works across network namespaces.
 */
import dgram from 'node:dgram';
import net from 'node:net';
import type { AgentCommand, AgentProbe, Outcome, Received } from './probes.js';

const [socketPath = '', ...portTexts] = process.argv.slice(2);
const ports = portTexts.map(Number);
const received = new Map<string, { count: number; last: number; seen: Set<number>; first: number }>();
const streams = new Map<string, () => number>();
/** Milliseconds of a clock that all programs of this machine share. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

const servers: Promise<void>[] = [];
for (const port of ports) {
  const server = net.createServer((socket) => socket.on('error', () => undefined).on('data', (data) => socket.write(data)));
  servers.push(new Promise((resolve) => server.listen(port, '::', resolve)));
  for (const type of ['udp4', 'udp6'] as const) {
    const socket = dgram.createSocket({ type, ipv6Only: type === 'udp6', recvBufferSize: 4 << 20 });
    socket.on('error', () => undefined);
    socket.on('message', (data, from) => {
      if (data[0] === 0x53) count(`${from.address}/${port}`, data.readUInt32BE(1));
      else socket.send(data, from.port, from.address);
    });
    servers.push(new Promise((resolve) => socket.bind(port, resolve)));
  }
}

function count(key: string, seq: number): void {
  const at = now();
  const one = received.get(key) ?? { count: 0, last: at, first: at, seen: new Set<number>() };
  one.count++;
  one.last = at;
  one.seen.add(seq);
  received.set(key, one);
}

function probe({ protocol, dst, port }: AgentProbe, patienceMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish('drop'), patienceMs);
    let close = (): void => undefined;
    const finish = (outcome: Outcome): void => {
      clearTimeout(timer);
      close();
      resolve(outcome);
    };
    if (protocol === 'tcp') {
      const socket = net.connect({ host: dst, port });
      close = () => void socket.destroy();
      socket.on('connect', () => finish('allow'));
      socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code === 'ECONNREFUSED' ? 'reject' : 'drop'));
      return;
    }
    const socket = dgram.createSocket(dst.includes(':') ? 'udp6' : 'udp4');
    close = () => void socket.close();
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code === 'ECONNREFUSED' ? 'reject' : 'drop'));
    socket.on('message', () => finish('allow'));
    socket.connect(port, dst, () => socket.send('P'));
  });
}

function stream(id: string, dst: string, port: number, intervalMs: number): void {
  const socket = dgram.createSocket(dst.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', () => undefined);
  let seq = 0;
  const data = Buffer.alloc(16, 'S');
  const timer = setInterval(() => {
    data.writeUInt32BE(seq++, 1);
    socket.send(data, port, dst);
  }, intervalMs);
  streams.set(id, () => {
    clearInterval(timer);
    socket.close();
    return seq;
  });
}

async function obey(command: AgentCommand): Promise<unknown> {
  switch (command.do) {
    case 'probe':
      return Promise.all(command.probes.map((one) => probe(one, command.patienceMs)));
    case 'stream':
      return stream(command.id, command.dst, command.port, command.intervalMs);
    case 'stop': {
      const sent = streams.get(command.id)?.() ?? 0;
      streams.delete(command.id);
      return sent;
    }
    case 'received': {
      const all: Record<string, Received> = {};
      for (const [key, { count: total, last, first, seen }] of received) all[key] = { count: total, last, first, distinct: seen.size };
      if (command.reset === true) received.clear();
      return all;
    }
  }
}

await Promise.all(servers);
net
  .createServer((connection) => {
    let text = '';
    connection.on('error', () => undefined);
    connection.on('data', (data) => {
      text += data.toString();
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const command = JSON.parse(text.slice(0, end)) as AgentCommand & { readonly seq: number };
        text = text.slice(end + 1);
        void obey(command).then((answer) => connection.write(`${JSON.stringify({ seq: command.seq, answer: answer ?? null })}\n`));
      }
    });
  })
  .listen(socketPath);
