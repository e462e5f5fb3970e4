/**
 * A multipart reply, part by part (OF1.3.5 §7.3.5).
 *
 * Owns: the checks on the sequence of parts: one kind, a bounded size, a receiver that keeps up.
 * Promises: parts reach the receiver in order and are not kept. It resolves when the last one is done with.
 */
import type { Message } from '../../flows/openflow/message.js';
import type { MultipartReplyBody } from '../../flows/openflow/multipart.js';
import type { SwitchError } from './contract.js';
import { ChannelError, SwitchRejection } from './errors.js';
import type { Exchange } from './exchanges.js';
import type { Intake } from './intake.js';

const REPLY_MORE = 1;
/** Parts at work at once that fill the receiver backlog: each holds up to 64 KiB and what was decoded from it. */
const PARTS_IN_BACKLOG = 4;

export type MultipartKind = MultipartReplyBody['kind'];
export type MultipartPart<K extends MultipartKind> = MultipartReplyBody & { readonly kind: K };

export interface MultipartTerms {
  readonly intake: Intake;
  readonly maxBytes: number;
  readonly receiverBacklog: number;
}

export class MultipartExchange<K extends MultipartKind> implements Exchange {
  /** Settles when the sequence ends. */
  readonly done: Promise<void>;
  readonly #kind: K;
  readonly #onPart: (part: MultipartPart<K>) => void | Promise<void>;
  readonly #terms: MultipartTerms;
  #resolve!: () => void;
  #reject!: (reason: unknown) => void;
  #bytes = 0;
  #working = 0;
  #complete = false;
  /** The receiver of a part rejected. */
  #failure: { readonly reason: unknown } | undefined;

  constructor(kind: K, onPart: (part: MultipartPart<K>) => void | Promise<void>, terms: MultipartTerms) {
    this.#kind = kind;
    this.#onPart = onPart;
    this.#terms = terms;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  reply(message: Message, length: number): boolean {
    if (message.kind !== 'multipart_reply' || message.body.kind !== this.#kind) {
      throw new ChannelError('unexpected_reply', `expected a multipart reply '${this.#kind}', got ${message.kind}`);
    }
    this.#bytes += length;
    if (this.#bytes > this.#terms.maxBytes) {
      throw new ChannelError('multipart_overflow', `a multipart reply exceeds ${this.#terms.maxBytes} bytes`);
    }
    if (this.#working > 0 && this.#terms.intake.overdue) {
      throw new ChannelError('consumer_lagging', 'the receiver of a multipart reply does not keep up');
    }
    if (this.#failure !== undefined) throw this.#failure.reason;
    const work = this.#onPart(message.body as MultipartPart<K>);
    if (work !== undefined) this.#await(work);
    this.#complete = (message.flags & REPLY_MORE) === 0;
    if (this.#complete && this.#working === 0) this.#resolve();
    return this.#complete;
  }

  fail(reason: unknown): void {
    this.#reject(reason);
  }

  refuse(error: SwitchError): void {
    this.#reject(new SwitchRejection(error));
  }

  #await(work: Promise<void>): void {
    this.#working++;
    this.#terms.intake.track(work, this.#terms.receiverBacklog / PARTS_IN_BACKLOG);
    work.then(
      () => {
        this.#working--;
        if (this.#complete && this.#working === 0) this.#resolve();
      },
      (reason: unknown) => {
        this.#failure ??= { reason };
        this.#reject(reason);
      },
    );
  }
}
