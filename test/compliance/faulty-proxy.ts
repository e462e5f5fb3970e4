/**
 * A network that fails between us and Redis.
 *
 * Owns: a TCP proxy on loopback and what it does to connections: passing on, losing replies, holding requests back.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export type ProxyMode =
  /** Everything passes. */
  | 'pass'
  /** A request that names `needle` arrives; its reply is lost, and the connection with it. */
  | 'lose reply'
  /** A request that names `needle` is kept, and the client's connection cut. It arrives when the proxy is told to deliver. */
  | 'hold request'
  /** Connections are refused. */
  | 'refuse';

export class FaultyProxy {
  readonly port: number;
  mode: ProxyMode = 'pass';
  /** How many requests the mode has struck. */
  struck = 0;
  private readonly server: Server;
  private readonly target: number;
  private readonly needle: Buffer;
  private readonly sockets = new Set<Socket>();
  private readonly held: (() => void)[] = [];

  private constructor(server: Server, target: number, needle: string) {
    this.server = server;
    this.target = target;
    this.needle = Buffer.from(needle);
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.join(client));
  }

  static start(target: number, needle: string): Promise<FaultyProxy> {
    const server = createServer();
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(new FaultyProxy(server, target, needle))));
  }

  /** Lets what was held back arrive. */
  deliver(): void {
    for (const one of this.held.splice(0)) one();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private join(client: Socket): void {
    if (this.mode === 'refuse') return void client.destroy();
    const redis = connect(this.target, '127.0.0.1');
    let isDeaf = false;
    for (const socket of [client, redis]) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
    }
    client.on('data', (bytes: Buffer) => {
      const isStruck = bytes.includes(this.needle);
      if (isStruck && this.mode === 'hold request') {
        this.struck++;
        isDeaf = true;
        client.destroy();
        this.held.push(() => redis.write(bytes));
        return;
      }
      if (isStruck && this.mode === 'lose reply') {
        this.struck++;
        isDeaf = true;
      }
      redis.write(bytes);
    });
    redis.on('data', (bytes: Buffer) => {
      if (isDeaf) client.destroy();
      else client.write(bytes);
    });
    // What is held back has a connection to arrive on.
    client.on('close', () => this.held.length === 0 && redis.destroy());
    redis.on('close', () => client.destroy());
  }
}
