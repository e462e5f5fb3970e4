/**
 * An OVSDB server that says what a test makes it say: for input no real server sends.
 *
 * Owns: a unix socket, the connections to it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Endpoint } from '../../../datapath/ovsdb/endpoint.js';
import { JsonStream } from '../../../datapath/ovsdb/json-stream.js';

export interface Message {
  readonly method?: string;
  readonly params?: readonly unknown[];
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

export class ServerConnection {
  readonly received: Message[] = [];
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  /** Bytes as they are, or a JSON value. */
  send(data: Buffer | object): void {
    this.#socket.write(Buffer.isBuffer(data) ? data : JSON.stringify(data));
  }

  reply(request: Message, result: unknown, error: unknown = null): void {
    this.send({ id: request.id, result, error });
  }

  hangUp(): void {
    this.#socket.destroy();
  }
}

export type Script = (message: Message, connection: ServerConnection) => void;

export class ScriptedServer {
  readonly endpoint: Endpoint;
  readonly connections: ServerConnection[] = [];
  readonly #server: net.Server;
  readonly #dir: string;
  readonly #sockets = new Set<net.Socket>();

  private constructor(dir: string, script: Script, greet: (connection: ServerConnection) => void) {
    this.#dir = dir;
    this.endpoint = { kind: 'unix', path: path.join(dir, 'db.sock') };
    this.#server = net.createServer((socket) => {
      const connection = new ServerConnection(socket);
      const stream = new JsonStream({ maxBytes: 1e6, maxDepth: 64 });
      this.connections.push(connection);
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('data', (chunk: Buffer) => {
        for (const message of stream.push(chunk) as Message[]) {
          connection.received.push(message);
          script(message, connection);
        }
      });
      greet(connection);
    });
  }

  static async listen(script: Script, greet: (connection: ServerConnection) => void = () => {}): Promise<ScriptedServer> {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'ovsdb-'));
    const server = new ScriptedServer(dir, script, greet);
    await new Promise<void>((resolve) => server.#server.listen(path.join(dir, 'db.sock'), resolve));
    return server;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#dir, { recursive: true, force: true });
  }
}
