/**
 * Runs packets through compiled tables, as the switch would.
 *
 * Owns: the tables in looked-up form, kept up to date by deltas, and the entry points.
 * Assumes: Open vSwitch 3.1 with fragment handling `nx-match` (the first fragment has ports) and OpenFlow 1.3 (a table miss drops).
 * Promises: executes exactly the given flows and groups; pure but for the conntrack it is handed. What it does not model makes a trace
 * undecidable, never wrong.
 */
import type { FlowDelta, FlowKey, Tables } from '../compile/contract.js';
import type { Flow } from '../openflow/flow.js';
import { Classifier } from './classifier.js';
import { FixedAnswers, type Conntrack } from './conntrack.js';
import { compileGroup, type CompiledGroup } from './group.js';
import { Microflow, type Fields } from './microflow.js';
import type { Choice, Trace, Verdict } from './result.js';
import { compileRule, type Rule } from './rule.js';
import { Run } from './run.js';
import { WorkingPacket } from './working-packet.js';

export interface TraceOptions {
  /** Default: every connection is new. Remembers what the packet does to it, unless tracing alternatives. */
  readonly conntrack?: Conntrack | undefined;
  /** Default 0. */
  readonly table?: number | undefined;
  /** Bytes of the frame from the destination MAC on; needed only where packets are told apart by length. */
  readonly length?: number | undefined;
  /** The packet that an ICMP error quotes. */
  readonly quoted?: Fields | undefined;
  /** Ports of the bridge; outputs elsewhere are dropped. Default: every port exists. FLOOD and ALL need it. */
  readonly ports?: ReadonlySet<number> | undefined;
  /** Decides where the switch may do several things; undefined takes the first. Asked in the order the places are come to. */
  readonly choose?: ((choice: Choice) => number | undefined) | undefined;
  /** Without details only tables are recorded as steps. Default true. */
  readonly details?: boolean | undefined;
  /** Keeps with each table the packet as it came there. Default false. */
  readonly snapshots?: boolean | undefined;
}

/** Most alternatives that traceAlternatives follows. */
const MAX_ALTERNATIVES = 64;

export class Interpreter {
  readonly #rules = new Map<FlowKey, Rule>();
  readonly #tables = new Map<number, Classifier>();
  readonly #groups = new Map<number, CompiledGroup>();

  constructor(tables: Tables) {
    for (const [key, flow] of tables.flows) this.#put(key, flow);
    for (const group of tables.groups.values()) this.#groups.set(group.group_id, compileGroup(group));
  }

  /** Follows a change of the tables. Cost follows the change. */
  apply(delta: FlowDelta): void {
    for (const key of delta.flows_deleted.keys()) this.#delete(key);
    for (const [key, flow] of delta.flows_put) {
      this.#delete(key);
      this.#put(key, flow);
    }
    for (const id of delta.groups_deleted.keys()) this.#groups.delete(id);
    for (const [id, group] of delta.groups_put) this.#groups.set(id, compileGroup(group));
  }

  /** @throws RangeError if the packet has a field that is not modelled. */
  trace(packet: Fields, options: TraceOptions = {}): Trace {
    const context = {
      tables: this.#tables,
      groups: this.#groups,
      conntrack: options.conntrack ?? new FixedAnswers(),
      quoted: options.quoted && Microflow.from(options.quoted),
      length: options.length,
      ports: options.ports,
      choose: options.choose ?? (() => undefined),
      details: options.details ?? true,
      snapshots: options.snapshots ?? false,
    };
    return new Run(context, WorkingPacket.arriving(Microflow.from(packet)), options.table ?? 0).toTheEnd();
  }

  /**
   * Every way the packet may go: one trace per combination of decisions that `choose` leaves open. The conntrack is left as it was.
   */
  traceAlternatives(packet: Fields, options: TraceOptions = {}): Trace[] {
    const traces: Trace[] = [];
    const pending: number[][] = [[]];
    while (pending.length > 0 && traces.length < MAX_ALTERNATIVES) {
      const plan = pending.pop()!;
      const open: (readonly number[])[] = [];
      const choose = (choice: Choice): number => {
        const given = options.choose?.(choice);
        if (given !== undefined) return given;
        const at = open.push(choice.options) - 1;
        return plan[at] ?? choice.options[0]!;
      };
      traces.push(this.trace(packet, { ...options, conntrack: (options.conntrack ?? new FixedAnswers()).clone(), choose }));
      for (let at = open.length - 1; at >= plan.length; at--) {
        const prefix = open.slice(0, at).map((options, index) => plan[index] ?? options[0]!);
        for (const option of open[at]!.slice(1)) pending.push([...prefix, option]);
      }
    }
    return traces;
  }

  #put(key: FlowKey, flow: Flow): void {
    const rule = compileRule(key, flow);
    this.#rules.set(key, rule);
    let table = this.#tables.get(flow.table);
    if (table === undefined) this.#tables.set(flow.table, (table = new Classifier()));
    table.insert(rule);
  }

  #delete(key: FlowKey): void {
    const rule = this.#rules.get(key);
    if (rule === undefined) return;
    this.#rules.delete(key);
    this.#tables.get(rule.flow.table)?.remove(rule);
  }
}

/** The verdict that holds for all of several traces, `undecidable` if they disagree. */
export function commonVerdict(traces: readonly Trace[]): Verdict {
  const verdicts = new Set(traces.map((trace) => trace.verdict));
  return verdicts.size === 1 ? [...verdicts][0]! : 'undecidable';
}
