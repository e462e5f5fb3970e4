/**
 * Probing between VMs.
 *
 * Owns: one probe-agent per VM, and the way to tell it what to do.
 */
import net from 'node:net';
import path from 'node:path';
import type { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import { repositoryRoot } from './hotori.js';
import type { Vm } from './vm.js';

export type Outcome = 'allow' | 'drop' | 'reject';

export interface AgentProbe {
  readonly protocol: 'tcp' | 'udp';
  readonly dst: string;
  readonly port: number;
}

/** Of one sender to one port. Times are milliseconds of `process.hrtime`, the same for every program of the machine. */
export interface Received {
  readonly count: number;
  readonly distinct: number;
  readonly first: number;
  readonly last: number;
}

export type AgentCommand =
  | { readonly do: 'probe'; readonly probes: readonly AgentProbe[]; readonly patienceMs: number }
  | { readonly do: 'stream'; readonly id: string; readonly dst: string; readonly port: number; readonly intervalMs: number }
  | { readonly do: 'stop'; readonly id: string }
  | { readonly do: 'received'; readonly reset?: boolean };

export class Prober {
  readonly vm: Vm;
  readonly #daemon: Daemon;
  readonly #socket: net.Socket;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #seq = 0;

  private constructor(vm: Vm, daemon: Daemon, socket: net.Socket) {
    this.vm = vm;
    this.#daemon = daemon;
    this.#socket = socket;
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      text += data.toString();
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const { seq, answer } = JSON.parse(text.slice(0, end)) as { seq: number; answer: unknown };
        text = text.slice(end + 1);
        this.#waiting.get(seq)?.(answer);
        this.#waiting.delete(seq);
      }
    });
  }

  /** Starts the agent in the VM, serving these ports. @param dir a directory of the lab */
  static async start(vm: Vm, dir: string, ports: readonly number[]): Promise<Prober> {
    const socketPath = path.join(dir, `${vm.name}.probe`);
    const program = path.join(repositoryRoot(), 'dist/test/lab/probe-agent.js');
    const daemon = vm.spawn(['node', program, socketPath, ...ports.map(String)], 'probe-agent');
    const socket = await eventually(`the probe agent of ${vm.name}`, () => connect(socketPath));
    return new Prober(vm, daemon, socket);
  }

  probe(probes: readonly AgentProbe[], patienceMs = 700): Promise<Outcome[]> {
    return this.#tell({ do: 'probe', probes, patienceMs }) as Promise<Outcome[]>;
  }

  async startStream(id: string, dst: string, port: number, intervalMs: number): Promise<void> {
    await this.#tell({ do: 'stream', id, dst, port, intervalMs });
  }

  /** @returns how many datagrams were sent */
  stopStream(id: string): Promise<number> {
    return this.#tell({ do: 'stop', id }) as Promise<number>;
  }

  /** By `SENDER/PORT`. */
  received(options: { readonly reset?: boolean } = {}): Promise<Record<string, Received>> {
    return this.#tell({ do: 'received', ...options }) as Promise<Record<string, Received>>;
  }

  async stop(): Promise<void> {
    this.#socket.destroy();
    await this.#daemon.stop('SIGKILL');
  }

  #tell(command: AgentCommand): Promise<unknown> {
    const seq = ++this.#seq;
    return new Promise((resolve) => {
      this.#waiting.set(seq, resolve);
      this.#socket.write(`${JSON.stringify({ ...command, seq })}\n`);
    });
  }
}

function connect(socketPath: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(socketPath);
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** One echo request. An answer that it is prohibited or unreachable is a rejection. */
export async function pingVerdict(vm: Vm, dst: string): Promise<Outcome> {
  const { code, stdout } = await vm.exec(['ping', '-n', '-c', '1', '-W', '1', dst], { timeoutMs: 20_000 });
  if (code === 0) return 'allow';
  return /Packet filtered|prohibited|[Uu]nreachable/.test(stdout) ? 'reject' : 'drop';
}
