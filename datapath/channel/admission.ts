/**
 * How many strangers a listener entertains.
 *
 * Owns: the sockets that have connected but not finished the handshake. Anyone who reaches the port can open one.
 * Assumes: the handshake itself has a time limit.
 * Promises: never more than the limit. When full, the oldest of the address with the most goes first, so one host cannot keep the others out.
 */
import type { Socket } from 'node:net';

export class Admission {
  readonly #max: number;
  /** With their addresses, in order of arrival. */
  readonly #strangers = new Map<Socket, string>();
  #evicted = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get waiting(): number {
    return this.#strangers.size;
  }

  get evicted(): number {
    return this.#evicted;
  }

  admit(socket: Socket): void {
    if (this.#strangers.size >= this.#max) this.#evictOne();
    this.#strangers.set(socket, socket.remoteAddress ?? '');
    socket.once('close', () => this.release(socket));
  }

  /** The handshake of this socket is over. */
  release(socket: Socket): void {
    this.#strangers.delete(socket);
  }

  dismissAll(): void {
    for (const socket of this.#strangers.keys()) socket.destroy();
    this.#strangers.clear();
  }

  #evictOne(): void {
    const counts = new Map<string, number>();
    for (const address of this.#strangers.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
    const most = Math.max(...counts.values());
    for (const [socket, address] of this.#strangers) {
      if (counts.get(address) !== most) continue;
      this.#evicted++;
      this.release(socket);
      socket.destroy();
      return;
    }
  }
}
