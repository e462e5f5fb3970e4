/**
 * What slice the bridge works from: what vnmgr sends, if it may follow the last one, or, where no vnmgr is heard after a start, the one kept on disk.
 *
 * Owns: following vnmgr; the last slice used and the one held back.
 * Promises: what is kept on disk is used only until vnmgr is heard for the first time.
 */
import type { DatapathHello, SliceAttachment, SliceSource, VifObservation } from '../../controller/messages/slice.js';
import type { Clock } from './clock.js';
import type { Desired } from './desired.js';
import type { AgentLog } from './log.js';
import type { SliceFile } from './slice-file.js';
import { SliceFollower } from './slice-follower.js';
import type { SliceChange } from './slice-intake.js';
import { SliceKeeper } from './slice-keeper.js';
import type { Turns } from './turns.js';

export interface SliceFeedParts {
  readonly source: SliceSource;
  readonly dpid: string;
  /** Where the last slice is kept; undefined: nowhere. */
  readonly file: SliceFile | undefined;
  readonly desired: Pick<Desired, 'take' | 'refuse' | 'restartSeq'>;
  readonly vifs: () => readonly VifObservation[];
  readonly hello: () => DatapathHello;
  readonly onAttached: (attachment: SliceAttachment) => void;
  readonly onDetached: () => void;
  /** A message was used, or refused. */
  readonly onTaken: () => void;
  readonly turns: Turns;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: AgentLog;
}

/** How long vnmgr is waited for before the slice kept on disk is used. */
const RESTORE_AFTER_MS = 3_000;

export class SliceFeed {
  readonly #parts: SliceFeedParts;
  readonly #keeper: SliceKeeper;
  readonly #follower: SliceFollower;
  /** Whether what is wanted is what was kept, since vnmgr has not been heard. */
  #isRestored = false;
  #isHeard = false;

  constructor(parts: SliceFeedParts) {
    this.#parts = parts;
    const { source, dpid, file, desired, hello, onAttached, onDetached, onTaken, turns, clock, random, log } = parts;
    this.#keeper = new SliceKeeper({ file, dpid, clock, log });
    this.#follower = new SliceFollower({
      source,
      hello,
      onAttaching: () => desired.restartSeq(),
      onAttached,
      onDetached,
      onChange: (change) => this.#receive(change),
      onUnsupported: ({ seq, schema_version }) => {
        desired.refuse(seq, `slice messages of schema ${schema_version} are not understood`);
        onTaken();
      },
      turns,
      clock,
      random,
      log,
    });
  }

  /** Why a slice is held back; null when none is. */
  get held(): string | null {
    return this.#keeper.held;
  }

  /** Follows vnmgr until the signal is aborted. */
  async follow(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#follower.run(signal), this.#restoreInNeed(signal)]);
  }

  /** Keeps the slice on disk until the signal is aborted. */
  keep(signal: AbortSignal): Promise<void> {
    return this.#keeper.run(signal);
  }

  /** The last change could not be used: asks for everything again. */
  startOver(signal: AbortSignal): Promise<void> {
    return this.#follower.startOver(signal);
  }

  /** An operator says that the slice that is held back is right. @returns false when none is. */
  accept(): boolean {
    const change = this.#keeper.accept();
    if (change !== undefined) this.#use(change);
    this.#parts.onTaken();
    return change !== undefined;
  }

  /** What was kept says more of NICs that came. @returns whether that is what the bridge works from now */
  vifsChanged(): boolean {
    const restored = this.#isRestored ? this.#keeper.restored(this.#parts.vifs()) : undefined;
    if (restored !== undefined) this.#parts.desired.take(restored);
    return restored !== undefined;
  }

  #receive(change: SliceChange): void {
    this.#isHeard = true;
    this.#isRestored = false;
    const admitted = this.#keeper.admit(change);
    if (admitted === undefined) this.#parts.desired.refuse(change.seq, this.#keeper.held!);
    else this.#use(admitted);
    this.#parts.onTaken();
  }

  #use(change: SliceChange): void {
    if (!this.#parts.desired.take(change)) return;
    this.#keeper.keep(change);
    this.#follower.succeeded();
  }

  /** With no vnmgr to be heard, the bridge works from the slice it had last. */
  async #restoreInNeed(signal: AbortSignal): Promise<void> {
    const { file, vifs, desired, clock, log } = this.#parts;
    if (file === undefined) return;
    await clock.sleep(RESTORE_AFTER_MS, signal);
    if (signal.aborted || this.#isHeard) return;
    const change = this.#keeper.restored(vifs());
    if (change === undefined) return;
    this.#isRestored = desired.take(change);
    const { revision, datapath_uuid: datapath } = change;
    log.warn(
      { datapath, revision: revision.number, records: change.puts.length },
      'vnmgr is not heard; working from the slice kept on disk',
    );
  }
}
