/**
 * Follows the slice of one datapath.
 *
 * Owns: being attached to vnmgr, again whenever that ends; asking for a snapshot when messages are missing; handing on what came, merged.
 * Promises: messages that arrive in one turn of the event loop are handed on as one change, in a later turn than the one they arrived in.
 */
import type { DatapathHello, SliceAttachment, SliceMessage, SliceSource } from '../../controller/messages/slice.js';
import { Backoff } from '../channel/backoff.js';
import type { Clock } from './clock.js';
import type { AgentLog } from './log.js';
import { SliceIntake, type SliceChange } from './slice-intake.js';
import type { Turns } from './turns.js';
import { isAborted, unlessAborted } from './unless-aborted.js';

export interface SliceFollowerOptions {
  readonly source: SliceSource;
  readonly hello: () => DatapathHello;
  /** Another attachment begins: the seq of messages starts anew. */
  readonly onAttaching: () => void;
  readonly onAttached: (attachment: SliceAttachment) => void;
  readonly onDetached: () => void;
  readonly onChange: (change: SliceChange) => void;
  /** A message cannot be understood. */
  readonly onUnsupported: (message: SliceMessage) => void;
  readonly turns: Turns;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: AgentLog;
}

export class SliceFollower {
  readonly #options: SliceFollowerOptions;
  readonly #intake = new SliceIntake();
  readonly #relist: Backoff;
  #attachment: SliceAttachment | undefined;
  #generation = 0;
  #isScheduled = false;
  #wantsSnapshot = false;

  constructor(options: SliceFollowerOptions) {
    this.#options = options;
    this.#relist = new Backoff({ floor: 200, ceiling: 60_000, random: options.random });
  }

  /** Stays attached until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { source, hello, onAttaching, onAttached, onDetached, clock, random, log } = this.#options;
    const backoff = new Backoff({ floor: 500, ceiling: 15_000, random });
    while (!signal.aborted) {
      const generation = ++this.#generation;
      let attached = Infinity;
      this.#intake.restart();
      onAttaching();
      try {
        const attachment = await source.attach(hello(), (message) => this.#receive(message, generation), signal);
        log.info({ datapath: attachment.datapath_uuid }, 'attached to vnmgr');
        attached = clock.now();
        this.#attachment = attachment;
        onAttached(attachment);
        if (this.#wantsSnapshot) this.#askForSnapshot();
        await unlessAborted(attachment.closed, signal);
        if (!isAborted(signal)) log.info({ datapath: attachment.datapath_uuid }, 'detached from vnmgr; attaching again');
      } catch (error) {
        if (!isAborted(signal)) log.warn({ error: String(error) }, 'cannot attach to vnmgr; trying again');
      }
      this.#generation++;
      this.#attachment = undefined;
      onDetached();
      if (clock.now() - attached > 10_000) backoff.reset();
      await clock.sleep(backoff.next(), signal);
    }
  }

  /** The last change could not be used: asks for everything again, ever more rarely. */
  async startOver(signal: AbortSignal): Promise<void> {
    const generation = this.#generation;
    this.#intake.restart();
    await this.#options.clock.sleep(this.#relist.next(), signal);
    if (!signal.aborted && generation === this.#generation) this.#askForSnapshot();
  }

  /** The last change was used. */
  succeeded(): void {
    this.#relist.reset();
  }

  #receive(message: SliceMessage, generation: number): void {
    if (generation !== this.#generation) return;
    switch (this.#intake.accept(message)) {
      case 'accepted':
        this.#schedule();
        return;
      case 'gap':
        this.#options.log.warn({ seq: message.seq }, 'slice messages are missing; asking for a snapshot');
        this.#askForSnapshot();
        return;
      case 'unsupported':
        this.#options.onUnsupported(message);
        return;
      case 'waiting':
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.turns.ask(() => {
      this.#isScheduled = false;
      const change = this.#intake.take();
      if (change !== undefined) this.#options.onChange(change);
    });
  }

  #askForSnapshot(): void {
    this.#wantsSnapshot = this.#attachment === undefined;
    this.#attachment?.relist();
  }
}
