/**
 * Commands to a running Open vSwitch daemon, as ovs-appctl(8) sends them, over one connection.
 *
 * Owns: the control socket of one daemon (JSON-RPC, `ovs-vswitchd.PID.ctl`).
 * Promises: answers come back in the order of the commands; any number may be under way. A daemon that is silent for PATIENCE_MS is given up.
 */
import net from 'node:net';
import { JsonStream } from './json-stream.js';

interface Reply {
  readonly id: number;
  readonly result: string | null;
  readonly error: string | null;
}

interface Waiting {
  readonly resolve: (result: string) => void;
  readonly reject: (error: Error) => void;
}

/** How long the daemon may be silent while something is asked of it. */
const PATIENCE_MS = 5_000;

export class Unixctl {
  readonly #socket: net.Socket;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    const replies = new JsonStream({ maxBytes: 64 * 1024 * 1024, maxDepth: 8 });
    socket.on('data', (chunk) => {
      try {
        for (const reply of replies.push(chunk) as Reply[]) this.#settle(reply);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.setTimeout(PATIENCE_MS, () => {
      if (this.#waiting.size > 0) socket.destroy();
    });
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the daemon closed the connection'));
      this.#waiting.clear();
    });
    socket.on('error', () => {});
  }

  static async connect(path: string): Promise<Unixctl> {
    const socket = net.createConnection(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new Unixctl(socket);
  }

  /** @throws Error with what the daemon says if it refuses. */
  command(method: string, ...params: readonly string[]): Promise<string> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new Error('the connection is closed'));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#socket.write(JSON.stringify({ id, method, params }));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #settle({ id, result, error }: Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === null) waiting?.resolve(result ?? '');
    else waiting?.reject(new Error(error.trim()));
  }
}
