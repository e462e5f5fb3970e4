/**
 * Requests that wait for their answers.
 *
 * Promises: each is settled once: by its answer, an error, its time-out, its signal, or the loss of the member that was asked.
 */
import { BusError, type Answer } from './contract.js';

interface Waiting {
  readonly server: string;
  readonly subject: string;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export interface PendingRequest {
  readonly server: string;
  readonly subject: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

export class Pending {
  private readonly waiting = new Map<string, Waiting>();
  private count = 0;

  /** @param send is called with the id that the answer must bear. */
  add({ server, subject, timeoutMs, signal }: PendingRequest, send: (id: string) => void): Promise<Answer> {
    const id = String(++this.count);
    return new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(
        () => this.fail(id, new BusError('timeout', `${server} did not answer ${subject} within ${timeoutMs} ms`, { server })),
        timeoutMs,
      );
      const onAbort = () => this.fail(id, signal!.reason);
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      this.waiting.set(id, {
        server,
        subject,
        resolve: (answer) => {
          end();
          resolve(answer);
        },
        reject: (error) => {
          end();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      send(id);
    });
  }

  /** The server that was asked; undefined when nothing waits under the id. */
  serverOf(id: string): string | undefined {
    return this.waiting.get(id)?.server;
  }

  settle(id: string, answer: Answer): void {
    this.take(id)?.resolve(answer);
  }

  fail(id: string, error: unknown): void {
    this.take(id)?.reject(error);
  }

  /** The member shows no sign of life, or has stopped serving the subject (any, when it is left out). */
  loseServer(server: string, subject?: string): void {
    for (const [id, one] of [...this.waiting])
      if (one.server === server && (subject === undefined || one.subject === subject))
        this.fail(id, new BusError('server_lost', `${server} was lost while it was asked ${one.subject}`, { server }));
  }

  failAll(error: () => BusError): void {
    for (const id of [...this.waiting.keys()]) this.fail(id, error());
  }

  private take(id: string): Waiting | undefined {
    const found = this.waiting.get(id);
    this.waiting.delete(id);
    return found;
  }
}
