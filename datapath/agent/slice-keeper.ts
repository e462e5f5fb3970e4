/**
 * The last slice that was used.
 *
 * Owns: keeping it, in memory and in a file; judging whether a snapshot can follow it; what a bridge is given while no vnmgr has been heard since the start.
 * Assumes: a snapshot of the same incarnation and a later revision came about by commits: somebody wanted it so.
 * Promises: a snapshot that is not known to follow and would take away most of the slice is held, with all that comes after it, until `accept` or
 * a snapshot that need not be held.
 */
import type { Revision, SliceRecord } from '../../controller/messages/slice.js';
import type { Binding } from '../../flows/model/binding.js';
import type { Clock } from './clock.js';
import type { AgentLog } from './log.js';
import type { KeptSlice, SliceFile } from './slice-file.js';
import type { SliceChange } from './slice-intake.js';
import { Wakeup } from './wakeup.js';

/** A NIC, as far as it matters for finding its interface. */
interface Nic {
  readonly port_name: string;
  readonly iface_id: string | null;
}

export interface SliceKeeperOptions {
  /** Without one the slice is kept in memory. */
  readonly file: SliceFile | undefined;
  readonly dpid: string;
  readonly clock: Clock;
  readonly log: AgentLog;
}

/** A slice as large may shrink in one snapshot to this part of it. */
const WORTH_HOLDING = 10;
const SUSPICIOUS = 0.5;
const SAVE_AFTER_MS = 500;
/** Saving takes at most this part of the time. */
const SAVE_SHARE = 0.05;

export class SliceKeeper {
  readonly #options: SliceKeeperOptions;
  readonly #records = new Map<string, SliceRecord>();
  #revision: Revision | undefined;
  #datapath = '';
  #held: { records: Map<string, SliceRecord>; last: SliceChange } | undefined;
  readonly #dirty: Wakeup;
  #isDirty = false;

  constructor(options: SliceKeeperOptions) {
    this.#options = options;
    this.#dirty = new Wakeup(options.clock);
    const { file, dpid, log } = options;
    if (file === undefined) return;
    const kept = file.read();
    if (!('reason' in kept) && kept.dpid === dpid) this.#replace(kept);
    else if ('reason' in kept && kept.reason !== undefined)
      log.warn({ file: file.path, reason: kept.reason }, 'the slice kept on disk cannot be used');
  }

  /** Why what came last is held back; null when it is not. */
  get held(): string | null {
    if (this.#held === undefined || this.#revision === undefined) return null;
    const { records, last } = this.#held;
    return (
      `vnmgr sent a slice of ${records.size} records (revision ${last.revision.number} of ${last.revision.incarnation}) that does not follow by commits from ` +
      `the ${this.#records.size} in use (revision ${this.#revision.number} of ${this.#revision.incarnation}), so those stay; ` +
      `if it is right: vnctl datapaths accept-slice ${last.datapath_uuid}`
    );
  }

  /** @returns the change to use, undefined while it is held. */
  admit(change: SliceChange): SliceChange | undefined {
    if (change.isComplete) {
      if (!this.#isSuspicious(change)) {
        this.#held = undefined;
        return change;
      }
      this.#held = { records: byUuid(change.puts), last: change };
      return undefined;
    }
    if (this.#held === undefined) return change;
    for (const uuid of change.deletes) this.#held.records.delete(uuid);
    for (const record of change.puts) this.#held.records.set(record.uuid, record);
    this.#held.last = change;
    return undefined;
  }

  /** An operator says that what is held is right. @returns it, undefined when nothing is. */
  accept(): SliceChange | undefined {
    const held = this.#held;
    this.#held = undefined;
    return held && { ...held.last, isComplete: true, puts: [...held.records.values()], deletes: [], firstSeq: held.last.seq };
  }

  /** A change is in use. */
  keep({ isComplete, puts, deletes, revision, datapath_uuid }: SliceChange): void {
    if (isComplete) this.#records.clear();
    for (const uuid of deletes) this.#records.delete(uuid);
    for (const record of puts) this.#records.set(record.uuid, record);
    this.#revision = revision;
    this.#datapath = datapath_uuid;
    this.#isDirty = true;
    this.#dirty.raise();
  }

  /**
   * What was kept, for NICs as they are now: a NIC that names an interface of the slice is that interface, unless it is plugged elsewhere.
   * undefined when nothing was kept.
   */
  restored(nics: Iterable<Nic>): SliceChange | undefined {
    if (this.#revision === undefined) return undefined;
    const records = new Map(this.#records);
    const byPort = new Map<string, Binding>();
    for (const [uuid, record] of this.#records) {
      if (record.kind !== 'binding' || record.datapath_uuid !== this.#datapath) continue;
      byPort.set(record.port_name, record);
      records.delete(uuid);
    }
    for (const nic of nics) {
      const binding = bindingOf(nic, this.#datapath, this.#records, byPort);
      if (binding !== undefined && !records.has(binding.uuid)) records.set(binding.uuid, binding);
    }
    return {
      isComplete: true,
      puts: [...records.values()],
      deletes: [],
      // No message of vnmgr: nothing is confirmed by it.
      firstSeq: 1,
      seq: 0,
      revision: this.#revision,
      datapath_uuid: this.#datapath,
    };
  }

  /** Writes the file until the signal, and once more then. */
  async run(signal: AbortSignal): Promise<void> {
    const { file, clock } = this.#options;
    if (file === undefined) return;
    while (!signal.aborted) {
      await this.#dirty.wait(Infinity, signal);
      await clock.sleep(SAVE_AFTER_MS, signal);
      const before = clock.now();
      await this.#write(file);
      await clock.sleep(Math.max(SAVE_AFTER_MS, (clock.now() - before) / SAVE_SHARE), signal);
    }
    await this.#write(file);
  }

  async #write(file: SliceFile): Promise<void> {
    if (!this.#isDirty || this.#revision === undefined) return;
    this.#isDirty = false;
    const { dpid, log } = this.#options;
    const slice = { datapath_uuid: this.#datapath, dpid, revision: this.#revision, records: [...this.#records.values()] };
    try {
      await file.write(slice);
    } catch (error) {
      this.#isDirty = true;
      this.#dirty.raise();
      log.error({ file: file.path, reason: String(error) }, 'the slice cannot be kept on disk');
    }
  }

  #isSuspicious({ puts, revision }: SliceChange): boolean {
    const before = this.#revision;
    if (before === undefined || this.#records.size < WORTH_HOLDING || puts.length >= this.#records.size * SUSPICIOUS) return false;
    return before.incarnation !== revision.incarnation || revision.number < before.number;
  }

  #replace({ records, revision, datapath_uuid }: KeptSlice): void {
    for (const record of records) this.#records.set(record.uuid, record);
    this.#revision = revision;
    this.#datapath = datapath_uuid;
  }
}

/** The binding of a NIC as it was, or as its iface-id says; undefined for one that is no interface of this slice here. */
function bindingOf(
  { port_name, iface_id }: Nic,
  datapath_uuid: string,
  records: ReadonlyMap<string, SliceRecord>,
  byPort: ReadonlyMap<string, Binding>,
): Binding | undefined {
  const named = iface_id === null ? undefined : records.get(iface_id);
  const interface_uuid = named?.kind === 'interface' ? named.uuid : byPort.get(port_name)?.interface_uuid;
  if (interface_uuid === undefined) return undefined;
  const uuid = `bind-${interface_uuid}`;
  const before = records.get(uuid);
  if (before?.kind === 'binding' && before.datapath_uuid !== datapath_uuid) return undefined;
  return { kind: 'binding', uuid, interface_uuid, datapath_uuid, port_name };
}

function byUuid(records: readonly SliceRecord[]): Map<string, SliceRecord> {
  return new Map(records.map((record) => [record.uuid, record]));
}
