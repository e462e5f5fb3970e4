/**
 * vnmgr on a store in memory, with time and chance that repeat.
 */
import type { Operation, Params, View } from '../../controller/contract.js';
import type { ChassisFacts, SliceAttachment, SliceMessage, SliceRecord, VifObservation } from '../../controller/messages/slice.js';
import { Vnmgr } from '../../controller/vnmgr.js';
import type { UserKind } from '../../flows/model/entities.js';
import { HotoriError, type Reason } from '../../flows/model/errors.js';
import { MemoryDisk, MemoryStore } from '../fakes/memory-store.js';

export class World {
  readonly disk: MemoryDisk;
  readonly store: MemoryStore;
  readonly vnmgr: Vnmgr;
  private readonly time: { ms: number };

  private constructor(disk: MemoryDisk, store: MemoryStore, vnmgr: Vnmgr, time: { ms: number }) {
    this.disk = disk;
    this.store = store;
    this.vnmgr = vnmgr;
    this.time = time;
  }

  static async start({ disk = new MemoryDisk(), autoRegister = true, logRevisions = 10_000, seed = 1 } = {}): Promise<World> {
    const store = new MemoryStore(disk, logRevisions);
    const time = { ms: Date.UTC(2026, 0, 1) };
    // Numerical Recipes' linear congruential generator; its high bits are good enough for names.
    let state = seed;
    const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
    const vnmgr = await Vnmgr.start({
      store,
      clock: { now: () => time.ms },
      random: { bytes: (count) => Uint8Array.from({ length: count }, next) },
      options: { version: 'test', autoRegister },
    });
    return new World(disk, store, vnmgr, time);
  }

  /** Lets time pass. */
  wait(ms: number): void {
    this.time.ms += ms;
  }

  async restart(): Promise<World> {
    await this.vnmgr.close();
    await this.store.close();
    return World.start({ disk: this.disk, seed: this.disk.revision + 2 });
  }

  async create(kind: UserKind, params: Params): Promise<View> {
    const { results } = await this.vnmgr.execute([create(kind, params)]);
    return results[0] as View;
  }

  async update(kind: UserKind, uuid: string, params: Params): Promise<View> {
    const { results } = await this.vnmgr.execute([{ verb: 'update', kind, uuid, params }]);
    return results[0] as View;
  }

  async delete(kind: UserKind, uuid: string, cascade = false): Promise<readonly string[]> {
    const { results } = await this.vnmgr.execute([{ verb: 'delete', kind, uuid, cascade }]);
    return results[0] as readonly string[];
  }

  async attach(node: string, vifs: readonly VifObservation[] = [], chassis?: ChassisFacts): Promise<Vna> {
    return Vna.attach(this.vnmgr, node, vifs, chassis);
  }
}

export function create(kind: UserKind, params: Params): Operation {
  return { verb: 'create', kind, params };
}

export const vif = (port_name: string, iface_id: string | null = null): VifObservation => ({ port_name, iface_id });

/** The code and reasons an operation is refused with. */
export async function refused(promise: Promise<unknown>): Promise<{ code: string; reasons: readonly Reason[] }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof HotoriError) return { code: error.code, reasons: error.reasons };
    throw error;
  }
  throw new Error('it was accepted');
}

/** A vna that keeps its slice as it is told. */
export class Vna {
  readonly messages: SliceMessage[] = [];
  readonly slice = new Map<string, SliceRecord>();
  readonly stop = new AbortController();
  attachment!: SliceAttachment;
  lastSeq = 0;
  private readonly vnmgr: Vnmgr;

  private constructor(vnmgr: Vnmgr) {
    this.vnmgr = vnmgr;
  }

  static async attach(vnmgr: Vnmgr, node: string, vifs: readonly VifObservation[], chassis?: ChassisFacts): Promise<Vna> {
    const vna = new Vna(vnmgr);
    const number = Array.from(node, (char) => char.charCodeAt(0)).reduce((sum, code) => (sum * 31 + code) % 2 ** 40, 7);
    const dpid = `0x${number.toString(16).padStart(16, '0')}`;
    const hello = { node_id: node, dpid, bridge: 'br-int', vifs, chassis };
    vna.attachment = await vnmgr.attach(hello, (message) => vna.take(message), vna.stop.signal);
    return vna;
  }

  /** Reports these NICs; resolves once what was reported so far is committed. */
  async see(vifs: readonly VifObservation[]): Promise<void> {
    this.attachment.reportVifs(vifs);
    await this.vnmgr.execute([]);
  }

  /** Confirms everything it was told. */
  confirm(error: { seq: number; message: string; uuids: string[] } | null = null, seq = this.lastSeq): void {
    const { datapath_uuid } = this.attachment;
    this.attachment.reportApplied({ datapath_uuid, connected: true, applied_seq: seq, flow_count: this.slice.size, flow_mods: 0, error });
  }

  /** uuids of the slice, sorted. */
  uuids(): string[] {
    return [...this.slice.keys()].sort();
  }

  private take(message: SliceMessage): void {
    if (message.kind === 'delta' && message.seq !== this.lastSeq + 1) throw new Error(`seq ${message.seq} after ${this.lastSeq}`);
    this.lastSeq = message.seq;
    this.messages.push(message);
    if (message.kind === 'snapshot') this.slice.clear();
    else {
      for (const uuid of message.deletes) if (!this.slice.delete(uuid)) throw new Error(`${uuid} is deleted and was not there`);
    }
    for (const record of message.kind === 'snapshot' ? message.entities : message.puts) this.slice.set(record.uuid, record);
  }
}
