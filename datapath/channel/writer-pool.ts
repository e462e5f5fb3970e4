/**
 * Writers shared by the connections of one event loop.
 *
 * Owns: idle writers. A lane borrows one from its first message until its bytes are handed to the socket, so a thousand idle connections hold none.
 * Assumes: a writer is given back only after `take`; what it handed over is never written again, so the next borrower may go on at once.
 */
import { Writer } from '../../flows/openflow/writer.js';

/** More than this many at once is a burst, not a working set. */
const MAX_IDLE = 64;

export class WriterPool {
  readonly #idle: Writer[] = [];

  borrow(): Writer {
    return this.#idle.pop() ?? new Writer();
  }

  giveBack(writer: Writer): void {
    if (this.#idle.length < MAX_IDLE) this.#idle.push(writer);
  }
}
