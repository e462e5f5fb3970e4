/**
 * Slice messages on their way to the compiler.
 *
 * Owns: the check of their order, and merging the ones that wait into one change.
 * Promises: a change is complete (a snapshot, and what came after it) or follows without a gap what was taken before.
 */
import { SLICE_SCHEMA_VERSION, type Revision, type SliceMessage, type SliceRecord } from '../../controller/messages/slice.js';

export interface SliceChange {
  /** True when `puts` are all there is: whatever is not among them is gone. */
  readonly isComplete: boolean;
  readonly puts: readonly SliceRecord[];
  /** uuids. */
  readonly deletes: readonly string[];
  /** Of the first and the last message merged. */
  readonly firstSeq: number;
  readonly seq: number;
  readonly revision: Revision;
  readonly datapath_uuid: string;
}

/** `gap`: something is missing, a snapshot is needed. `waiting`: it still is. `unsupported`: another schema version. */
export type Acceptance = 'accepted' | 'gap' | 'waiting' | 'unsupported';

export class SliceIntake {
  readonly #puts = new Map<string, SliceRecord>();
  readonly #deletes = new Set<string>();
  #isComplete = false;
  #waitsForSnapshot = true;
  #firstSeq: number | undefined;
  #seq = 0;
  #last: SliceMessage | undefined;

  accept(message: SliceMessage): Acceptance {
    if (message.schema_version !== SLICE_SCHEMA_VERSION) return 'unsupported';
    if (message.kind === 'snapshot') {
      this.#clear();
      this.#isComplete = true;
      this.#waitsForSnapshot = false;
      for (const record of message.entities) this.#puts.set(record.uuid, record);
    } else {
      if (this.#waitsForSnapshot) return 'waiting';
      if (message.seq !== this.#seq + 1) {
        this.restart();
        return 'gap';
      }
      for (const uuid of message.deletes) {
        this.#puts.delete(uuid);
        this.#deletes.add(uuid);
      }
      for (const record of message.puts) {
        this.#deletes.delete(record.uuid);
        this.#puts.set(record.uuid, record);
      }
    }
    this.#firstSeq ??= message.seq;
    this.#seq = message.seq;
    this.#last = message;
    return 'accepted';
  }

  /** What waits, merged; undefined when nothing does. */
  take(): SliceChange | undefined {
    if (this.#firstSeq === undefined || this.#last === undefined) return undefined;
    const change = {
      isComplete: this.#isComplete,
      puts: [...this.#puts.values()],
      deletes: [...this.#deletes],
      firstSeq: this.#firstSeq,
      seq: this.#seq,
      revision: this.#last.revision,
      datapath_uuid: this.#last.datapath_uuid,
    };
    this.#clear();
    return change;
  }

  /** Drops what waits; only a snapshot is accepted next. */
  restart(): void {
    this.#clear();
    this.#waitsForSnapshot = true;
  }

  #clear(): void {
    this.#puts.clear();
    this.#deletes.clear();
    this.#isComplete = false;
    this.#firstSeq = undefined;
  }
}
