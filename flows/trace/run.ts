/**
 * One packet on its way through the tables.
 *
 * Owns: the order of things: passes, lookups, copies, limits. What single actions do is in perform.ts.
 * Promises: as Open vSwitch 3.1 (ofproto/ofproto-dpif-xlate.c) has it, oddities included. Used for one packet and thrown away. A packet forked by
 * `ct(table=)` is run after the pass that forked it, in the order of the forks.
 */
import { CONTROLLER_NO_BUFFER } from '../openflow/constants.js';
import type { Hit } from './classifier.js';
import type { CompiledGroup } from './group.js';
import { writeBits } from './layout.js';
import type { Machine, Pending, PuntRequest, RunContext } from './machine.js';
import type { Operation } from './operation.js';
import { perform } from './perform.js';
import { Recorder } from './recorder.js';
import type { Choice, ConjunctionStep, DropWhy, FieldChange, FlowRef, Punt, Trace, Via } from './result.js';
import type { Rule } from './rule.js';
import type { WorkingPacket } from './working-packet.js';

/** Limits of Open vSwitch on nesting and on lookups of one packet (MAX_DEPTH, MAX_RESUBMITS). */
const MAX_DEPTH = 64;
const MAX_RESUBMITS = 4096;

/** Passes after which a packet that keeps going through conntrack is given up: a loop. Datapaths stop after 6 in a row. */
const MAX_PASSES = 64;

export class Run implements Machine {
  readonly context: RunContext;
  readonly record: Recorder;
  packet: WorkingPacket;
  pass = 0;
  table = 0;
  inActionSet = false;
  hasExited = false;
  readonly #pending: Pending[];
  readonly #ingress: number;
  #rule: Rule | undefined;
  /** Counts against the switch's limit: a bucket, or a resubmit to the same or a lower table. */
  #depth = 0;
  /** Of the trace's steps. */
  #nesting = 0;
  #resubmits = 0;
  #exit = false;
  #failed = false;

  constructor(context: RunContext, packet: WorkingPacket, table: number) {
    this.context = context;
    this.record = new Recorder(context.details);
    this.packet = packet;
    this.#ingress = packet.inPort;
    this.#pending = [{ packet, table, via: 'start' }];
  }

  toTheEnd(): Trace {
    for (this.pass = 0; this.pass < this.#pending.length; this.pass++) {
      const forksBefore = this.#pending.length;
      if (this.pass < MAX_PASSES) this.#runPass(this.#pending[this.pass]!);
      else this.fail(`more than ${MAX_PASSES} passes through conntrack`);
      if (this.#failed) this.#pending.length = forksBefore;
    }
    return this.record.finish();
  }

  #runPass({ packet, table, via }: Pending): void {
    this.packet = packet;
    this.#depth = 0;
    this.#nesting = 0;
    this.#resubmits = 0;
    this.#exit = false;
    this.hasExited = false;
    this.#failed = false;
    this.#copy(() => {
      this.#visit(table, via, undefined, false);
      this.#runActionSet();
    });
    this.record.endPass(packet.snapshot(), this.#resubmits);
  }

  by(): FlowRef | undefined {
    return this.#rule && refOf(this.#rule);
  }

  undecided(why: string): void {
    this.record.undecided({ pass: this.pass, table: this.table, by: this.by(), why });
  }

  note(why: DropWhy): void {
    this.record.note(why, this.table, this.by());
  }

  exit(): void {
    this.#exit = true;
    this.hasExited = true;
  }

  queue(pending: Pending): number {
    return this.#pending.push(pending) - 1;
  }

  step(action: Operation['source'], note?: string, change?: FieldChange): void {
    if (this.record.details) this.record.step({ kind: 'action', pass: this.pass, depth: this.#nesting, action, note, change });
  }

  fail(why: string): void {
    this.#failed = true;
    this.record.fail(why, this.pass);
  }

  #decide(choice: Choice): number {
    const asked = this.context.choose(choice);
    const taken = asked !== undefined && choice.options.includes(asked) ? asked : choice.options[0]!;
    this.record.decision({ ...choice, taken });
    return taken;
  }

  /** What happens in `body` happens to a copy of the packet in the sense of the recorder. */
  #copy(body: () => void): void {
    this.record.copy(this.pass, () => this.packet.snapshot(), body);
  }

  // ---- tables

  enter(table: number, via: Via, inPort: number | undefined, withCt: boolean): void {
    if (!this.#withinLimits()) return;
    const { table: outerTable } = this;
    const outerRule = this.#rule;
    const deepens = table <= outerTable ? 1 : 0;
    const nests = via === 'goto_table' ? 0 : 1;
    this.#resubmits++;
    this.#depth += deepens;
    this.#nesting += nests;
    this.#visit(table, via, inPort, withCt);
    this.#nesting -= nests;
    this.#depth -= deepens;
    this.table = outerTable;
    this.#rule = outerRule;
  }

  #visit(table: number, via: Via, inPort: number | undefined, withCt: boolean): void {
    if (withCt && !this.packet.hasOriginalTuple()) return;
    this.table = table;
    const pick = (options: readonly number[]): number =>
      options.length > 1 ? this.#decide({ kind: 'conjunction', table, options }) : options[0]!;
    const hit = this.#oneOf(table, this.context.tables.get(table)?.lookup(this.packet.asLookedUp(inPort, withCt), pick));
    this.#rule = hit?.rule;
    this.#recordHit(table, via, hit);
    if (hit === undefined) {
      this.note('miss');
    } else if (hit.rule.unmodelled !== undefined) {
      this.undecided(hit.rule.unmodelled);
    } else {
      this.note('no_output');
      this.execute(hit.rule.operations);
    }
  }

  /** The flow that is taken of those that match equally well. */
  #oneOf(table: number, hit: Hit | undefined): Hit | undefined {
    if (hit === undefined || hit.overlaps.length === 0) return hit;
    const equal = [hit.rule, ...hit.overlaps];
    const taken = this.#decide({ kind: 'overlap', table, options: [...equal.keys()] });
    return { ...hit, rule: equal[taken]!, overlaps: equal.filter((_, at) => at !== taken) };
  }

  #recordHit(table: number, via: Via, hit: Hit | undefined): void {
    this.record.step({
      kind: 'table',
      pass: this.pass,
      depth: this.#nesting,
      table,
      via,
      hit: hit && refOf(hit.rule),
      conjunction: hit && conjunctionOf(hit),
      overlaps: hit === undefined || hit.overlaps.length === 0 ? [] : hit.overlaps.map(refOf),
      packet: this.context.snapshots ? this.packet.snapshot() : undefined,
    });
  }

  #withinLimits(): boolean {
    if (this.#depth >= MAX_DEPTH) this.fail(`over max translation depth ${MAX_DEPTH}`);
    else if (this.#resubmits >= MAX_RESUBMITS) this.fail(`over ${MAX_RESUBMITS} resubmit actions`);
    return !this.#failed;
  }

  // ---- lists

  execute(operations: readonly Operation[]): void {
    if (operations.length === 0) this.note('no_actions');
    for (let at = 0; at < operations.length && !this.#failed && !this.#exit; at++) {
      const operation = operations[at]!;
      if (operation.kind === 'check_pkt_larger') {
        this.#checkLength(operation, operations.slice(at + 1));
        return;
      }
      if (!perform(this, operation)) return;
    }
  }

  #runActionSet(): void {
    const operations = this.#failed ? [] : this.packet.takeActionSet();
    if (operations.length === 0) return;
    this.record.step({ kind: 'action_set', pass: this.pass, depth: this.#nesting });
    this.inActionSet = true;
    this.execute(operations);
    this.inActionSet = false;
  }

  clone(operations: readonly Operation[]): void {
    const original = this.packet;
    this.packet = original.copy();
    this.#nesting++;
    this.#copy(() => {
      this.note('no_output');
      this.execute(operations);
      this.#runActionSet();
    });
    this.#nesting--;
    this.packet = original;
  }

  /** The outcome is visible to the rest of this list only; then the packet is as it was, and the rest of the list has been run. */
  #checkLength(operation: Extract<Operation, { kind: 'check_pkt_larger' }>, rest: readonly Operation[]): void {
    const { length } = operation;
    const known = this.context.length;
    const larger = known === undefined ? this.#decide({ kind: 'packet_larger', length, options: [1, 0] }) : known > length ? 1 : 0;
    this.step(operation.source, larger === 1 ? 'larger' : 'not larger');
    const original = this.packet;
    this.packet = original.copy();
    writeBits(this.packet.words, operation.dst, 0, operation.dst.bits, larger);
    this.execute(rest);
    this.#runActionSet();
    this.packet = original;
    this.#exit = false;
  }

  group(group_id: number): boolean {
    if (!this.#withinLimits()) return true;
    const group = this.context.groups.get(group_id);
    if (group === undefined) {
      this.note('no_group');
      return false;
    }
    for (const bucket of this.#bucketsOf(group_id, group)) this.#bucket(group_id, bucket, group.buckets[bucket]!.operations);
    return true;
  }

  #bucketsOf(group_id: number, { type, buckets }: CompiledGroup): readonly number[] {
    const all = [...buckets.keys()];
    if (type === 'all' || type === 'indirect') return all;
    // Link states are not known: a watched port is alive if it exists.
    const alive = all.filter((at) => buckets[at]!.watch_port === undefined || this.context.ports?.has(buckets[at]!.watch_port) !== false);
    if (type === 'fast_failover' || alive.length < 2) return alive.slice(0, 1);
    return [this.#decide({ kind: 'select_bucket', group_id, options: alive })];
  }

  #bucket(group_id: number, bucket: number, operations: readonly Operation[]): void {
    if (this.#failed) return;
    this.record.step({ kind: 'bucket', pass: this.pass, depth: this.#nesting, group_id, bucket });
    const original = this.packet;
    this.packet = original.copy();
    this.#depth++;
    this.#nesting++;
    this.#copy(() => {
      this.note('no_output');
      this.execute(operations);
    });
    this.#nesting--;
    this.#depth--;
    // Only fields are a bucket's own; what a table it resubmits to does to the action set and the stack stays.
    original.actionSet = this.packet.actionSet;
    original.stack = this.packet.stack;
    this.packet = original;
    this.#exit = false;
  }

  // ---- where packets go

  emit(port: number): void {
    if (this.context.ports?.has(port) === false) {
      this.note('no_port');
      return;
    }
    this.record.output({
      port,
      to_in_port: port === this.#ingress,
      pass: this.pass,
      table: this.table,
      by: this.by(),
      packet: this.packet.snapshot(),
    });
  }

  punt(punt: PuntRequest): void {
    this.record.punt({
      ...punt,
      reason: this.#puntReason(punt.reason),
      max_len: punt.max_len ?? CONTROLLER_NO_BUFFER,
      implicit: punt.implicit === true,
      pass: this.pass,
      table: this.table,
      by: this.by(),
      packet: this.packet.snapshot(),
    });
  }

  /** An action of a table-miss flow counts as a miss (OpenFlow 1.3.5 §5.4). */
  #puntReason(reason: Punt['reason']): Punt['reason'] {
    const flow = this.#rule?.flow;
    return reason === 'action' && flow?.priority === 0 && flow.match.length === 0 ? 'no_match' : reason;
  }
}

function refOf({ key, flow }: Rule): FlowRef {
  return { key, flow };
}

function conjunctionOf({ conjunction }: Hit): ConjunctionStep | undefined {
  return conjunction && { id: conjunction.id, dimensions: conjunction.dimensions.map(refOf), alternatives: conjunction.alternatives };
}
