/**
 * A wire that can be cut: TCP from a port of ours to a port of somebody else.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #mode: 'open' | 'refuse' | 'silent' = 'open';
  #target: number;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (near) => this.#join(near));
  }

  static async start(target: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: false }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, target);
  }

  /** Ends every connection and accepts none. */
  refuse(): void {
    this.#mode = 'refuse';
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Connections stay, new ones are accepted, and nothing comes through. */
  silence(): void {
    this.#mode = 'silent';
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** What was held back comes through. */
  open(): void {
    this.#mode = 'open';
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  /** To another port from now on; every connection ends. */
  aim(target: number): void {
    this.refuse();
    this.#target = target;
    this.open();
  }

  async close(): Promise<void> {
    this.refuse();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  #join(near: Socket): void {
    if (this.#mode === 'refuse') return void near.destroy();
    const far = connect(this.#target, '127.0.0.1');
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    const end = (): void => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (bytes) => void to.write(bytes));
      from.on('error', end);
      from.on('close', end);
    }
    if (this.#mode === 'silent') for (const socket of pair) socket.pause();
  }
}
