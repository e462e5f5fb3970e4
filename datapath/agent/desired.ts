/**
 * What is wanted on the bridge: the slice and the local ports, compiled.
 *
 * Owns: the compiler and its input; what responders know of the slice; which slice messages are wanted completely, their ports included.
 * Assumes: changes come in order (SliceIntake).
 * Promises: nothing is wanted before the first snapshot is compiled. When compiling fails, what was wanted stays, the failure is told, and only
 * a snapshot through a new compiler counts again.
 */
import type { AppliedReport } from '../../controller/messages/slice.js';
import type { CompileRecord, Compiler, FlowDelta, LocalPort, LocalRecord, Provenance } from '../../flows/compile/contract.js';
import type { Binding } from '../../flows/model/binding.js';
import type { Vif } from '../ovsdb/vif-watcher.js';
import type { SliceContext } from '../respond/slice-context.js';
import type { Clock } from './clock.js';
import type { AgentLog } from './log.js';
import type { NatZones } from './nat-zones.js';
import type { Ports } from './ports.js';
import type { Reconciler } from './reconciler.js';
import type { SliceChange } from './slice-intake.js';

export interface DesiredOptions {
  readonly createCompiler: () => Compiler;
  readonly reconciler: Pick<Reconciler, 'change' | 'replace' | 'begin' | 'suspect' | 'mark' | 'aim' | 'restartSeq'>;
  readonly ports: Pick<Ports, 'update' | 'live' | 'pendingSince' | 'restartSeq'>;
  readonly context: Pick<SliceContext, 'apply' | 'replace'>;
  readonly natZones: Pick<NatZones, 'update' | 'pendingSince' | 'restartSeq'>;
  /** NICs as they are now. */
  readonly vifs: () => ReadonlyMap<string, Vif>;
  /** What the compiler is to know of this hypervisor besides its local ports. */
  readonly own: (datapathUuid: string) => readonly LocalRecord[];
  /** What is wanted differs; called before it is brought to the switch. */
  readonly onCompiled: () => void;
  /** Compiling failed: another snapshot is needed. */
  readonly onFailure: () => void;
  /** Compiling a whole slice, or a change of it, took so many seconds. */
  readonly onTimed?: ((kind: 'full' | 'incremental', seconds: number) => void) | undefined;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: AgentLog;
}

interface Uncompiled {
  readonly puts: readonly CompileRecord[];
  readonly deletes: readonly string[];
}

const NOTHING: Uncompiled = { puts: [], deletes: [] };

export class Desired {
  readonly #options: DesiredOptions;
  /** Bindings of this datapath, by uuid. */
  readonly #bindings = new Map<string, Binding>();
  /** What the compiler has of this hypervisor itself but its local ports, by uuid. */
  readonly #own = new Map<string, LocalRecord>();
  /** What a change of the slice brought: it is compiled along with what it does to the local ports. */
  #uncompiled: Uncompiled | undefined;
  /** NICs as the local ports were last told. */
  #vifs: ReadonlyMap<string, Vif> | undefined;
  #datapath: string | undefined;
  #compiler: Compiler;
  #isCurrent = false;
  #seq = 0;
  #marked = 0;
  #revision = 0;
  /** When the first came of what is not wanted completely yet. */
  #takenAt: number | undefined;
  #error: AppliedReport['error'] = null;

  constructor(options: DesiredOptions) {
    this.#options = options;
    this.#compiler = options.createCompiler();
  }

  get compiler(): Compiler {
    return this.#compiler;
  }

  /** Whether anything is wanted yet. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** Number of the revision wanted now. */
  get revision(): number {
    return this.#revision;
  }

  /** The same; null while nothing is wanted. */
  get wantedRevision(): number | null {
    return this.#isCurrent ? this.#revision : null;
  }

  /** uuid of this datapath, once a slice has said it. */
  get datapath(): string | undefined {
    return this.#datapath;
  }

  /** Why the last slice message could not be used. */
  get error(): AppliedReport['error'] {
    return this.#error;
  }

  provenance(cookie: bigint): Provenance | undefined {
    return this.#compiler.provenance(cookie);
  }

  /** Another attachment begins: seq starts anew. */
  restartSeq(): void {
    this.#seq = 0;
    this.#error = null;
    this.#options.reconciler.restartSeq();
    this.#options.ports.restartSeq();
    this.#options.natZones.restartSeq();
  }

  /** A slice message that cannot be used. */
  refuse(seq: number, message: string): void {
    if (message !== this.#error?.message) this.#options.log.error({ seq, reason: message }, 'a slice message cannot be used');
    this.#error = { seq, message, uuids: [] };
  }

  /** @returns false when it could not be used, or is no use before the next snapshot */
  take(change: SliceChange): boolean {
    if (!this.#isCurrent && !change.isComplete) return false;
    const { createCompiler, reconciler, ports, context, natZones } = this.#options;
    const isNew = !this.#isCurrent;
    if (isNew) this.#compiler = createCompiler();
    this.#seq = change.seq;
    this.#takenAt ??= this.#options.clock.now();
    this.#datapath = change.datapath_uuid;
    natZones.update(change.puts, change.isComplete ? [] : change.deletes, change.isComplete, change.seq);
    const own = this.#ownChanges();
    this.#revision = change.revision.number;
    if (change.isComplete) this.#marked = change.firstSeq - 1;

    const deletes = change.isComplete ? this.#absentFrom(change) : change.deletes;
    if (isNew) {
      if (this.#compile([...change.puts, ...ports.live(), ...this.#own.values()], [...deletes, ...own.deletes], 'full') === undefined)
        return false;
      this.#isCurrent = true;
    } else this.#uncompiled = { puts: [...change.puts, ...own.puts], deletes: [...deletes, ...own.deletes] };
    const areBound = this.#keepBindings(change, deletes);
    if (areBound || this.#options.vifs() !== this.#vifs) this.updatePorts();
    if (this.#uncompiled !== undefined) this.#applyOwn([], []);
    if (!this.#isCurrent) return false;
    if (change.isComplete) context.replace(change.puts);
    else context.apply(change.puts, deletes);
    if (isNew) {
      reconciler.replace(this.#compiler.tables);
      reconciler.begin();
    }
    if (change.isComplete) reconciler.suspect();
    this.#error = null;
    this.markComplete();
    return true;
  }

  /** Compiles all that is known anew, and wants what comes of it. */
  compileAnew(): void {
    if (!this.#isCurrent) return;
    const records = [...this.#compiler.records()];
    this.#compiler = this.#options.createCompiler();
    if (this.#compile(records, [], 'full') !== undefined) this.#options.reconciler.replace(this.#compiler.tables);
  }

  /** NICs or bindings changed. */
  updatePorts(): void {
    if (!this.#isCurrent) return;
    this.#vifs = this.#options.vifs();
    this.#options.ports.update(this.#vifs, this.#bindings.values(), this.#seq);
  }

  /** What `own` gives may differ now. @returns what that changes; undefined when nothing was compiled */
  updateOwn(): FlowDelta | undefined {
    if (!this.#isCurrent) return undefined;
    const { puts, deletes } = this.#ownChanges();
    return puts.length > 0 || deletes.length > 0 ? this.#applyOwn(puts, deletes) : undefined;
  }

  /** Compiles a change of local ports; undefined when it could not be: the next snapshot brings them along. */
  applyPorts(puts: readonly LocalPort[], deletes: readonly string[]): FlowDelta | undefined {
    return this.#applyOwn(puts, deletes);
  }

  #applyOwn(puts: readonly LocalRecord[], deletes: readonly string[]): FlowDelta | undefined {
    const slice = this.#uncompiled ?? NOTHING;
    this.#uncompiled = undefined;
    if (!this.#isCurrent) return undefined;
    const delta = this.#compile([...slice.puts, ...puts], [...slice.deletes, ...deletes], 'incremental');
    if (delta !== undefined) this.#options.reconciler.change(delta);
    return delta;
  }

  /** What differs in what this hypervisor knows of itself from what the compiler was given. */
  #ownChanges(): { readonly puts: readonly LocalRecord[]; readonly deletes: readonly string[] } {
    const now = this.#datapath === undefined ? [] : this.#options.own(this.#datapath);
    const kept = new Set(now.map(({ uuid }) => uuid));
    const deletes = [...this.#own.keys()].filter((uuid) => !kept.has(uuid));
    for (const uuid of deletes) this.#own.delete(uuid);
    for (const record of now) this.#own.set(record.uuid, record);
    return { puts: now, deletes };
  }

  /** Tells the reconciler up to which message everything is wanted: one whose ports are still being prepared is not complete. */
  markComplete(): void {
    const { ports, natZones, reconciler } = this.#options;
    if (!this.#isCurrent) return;
    const pending = Math.min(ports.pendingSince ?? Infinity, natZones.pendingSince ?? Infinity);
    const complete = Math.min(this.#seq, pending - 1);
    if (complete === this.#seq && this.#takenAt !== undefined) {
      reconciler.aim(this.#revision, this.#takenAt);
      this.#takenAt = undefined;
    }
    if (complete <= this.#marked) return;
    this.#marked = complete;
    reconciler.mark(complete);
  }

  #compile(puts: readonly CompileRecord[], deletes: readonly string[], kind: 'full' | 'incremental'): FlowDelta | undefined {
    const { clock, onTimed, onCompiled } = this.#options;
    const started = clock.now();
    try {
      const delta = this.#compiler.update(puts, deletes);
      onTimed?.(kind, (clock.now() - started) / 1000);
      onCompiled();
      return delta;
    } catch (error) {
      this.#isCurrent = false;
      this.refuse(this.#seq, `compiling failed: ${error instanceof Error ? error.message : String(error)}`);
      this.#options.onFailure();
      return undefined;
    }
  }

  #absentFrom({ puts }: SliceChange): string[] {
    const present = new Set(puts.map((record) => record.uuid));
    const absent: string[] = [];
    for (const { kind, uuid } of this.#compiler.records())
      if (kind !== 'local_port' && !this.#own.has(uuid) && !present.has(uuid)) absent.push(uuid);
    return absent;
  }

  /** @returns whether they may differ now */
  #keepBindings({ isComplete, puts, datapath_uuid }: SliceChange, deletes: readonly string[]): boolean {
    let differs = isComplete;
    if (isComplete) this.#bindings.clear();
    for (const uuid of deletes) if (this.#bindings.delete(uuid)) differs = true;
    for (const record of puts) {
      if (record.kind !== 'binding') continue;
      if (record.datapath_uuid !== datapath_uuid) {
        if (this.#bindings.delete(record.uuid)) differs = true;
        continue;
      }
      this.#bindings.set(record.uuid, record);
      differs = true;
    }
    return differs;
  }
}
