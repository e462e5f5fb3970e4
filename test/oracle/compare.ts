/**
 * The interpreter against the switch.
 *
 * Owns: running packets through both and finding the first thing they disagree on: tables walked with priorities and cookies, the packet at the end
 * of each pass, every output with the headers it has, every punt with the flow that makes it, conntrack commits.
 * Assumes: the switch holds the very tables given. Conntrack answers come from a list on both sides (`--ct-next`).
 * Promises: nothing of the switch is changed: no packet is sent, no packet-in is made. Where the switch may do either of several things
 * (conjunctions satisfied at once, packets told apart by length) the interpreter tries all. The switch does not trace beyond a select group.
 */
import type { Tables } from '../../flows/compile/contract.js';
import { FixedAnswers } from '../../flows/trace/conntrack.js';
import { Interpreter } from '../../flows/trace/interpreter.js';
import { Microflow, type FieldRecord } from '../../flows/trace/microflow.js';
import { CT_STATE } from '../../flows/trace/prerequisite.js';
import type { Trace } from '../../flows/trace/result.js';
import { runActions, type DatapathResult } from './datapath-actions.js';
import { formatPacket, parsePacket } from './flow-text.js';
import { parsePorts } from './ports.js';
import { parseTrace, type TraceSection } from './trace-text.js';
import { Unixctl } from './unixctl.js';

/** A bridge of a running switch. */
export interface Target {
  /** Control socket of ovs-vswitchd. */
  readonly unixctl: string;
  readonly bridge: string;
}

export interface TracedPacket {
  readonly fields: FieldRecord;
  /** ct_state for each pass through conntrack, in order; afterwards `trk|new`. */
  readonly ct?: readonly number[] | undefined;
}

export interface Comparison {
  readonly packets: number;
  /** Packets that reached at least one port, were punted, were dropped. */
  readonly verdicts: Readonly<Record<string, number>>;
  /** Distinct flows that were hit. */
  readonly flows_hit: number;
  /** Traces whose outputs could not be compared: the packet left through a patch port, or its length decides. */
  readonly partly: number;
  readonly differences: readonly Difference[];
}

export interface Difference {
  readonly what: string;
  readonly packet: string;
  readonly ct: readonly string[];
  readonly interpreter: unknown;
  readonly switch: unknown;
  readonly trace: string;
}

export interface CompareOptions {
  readonly tables: Tables;
  readonly packets: readonly TracedPacket[];
  readonly target: Target;
  /** Differences after which to stop. Default 5. */
  readonly limit?: number | undefined;
}

/** Traces under way at once. */
const WINDOW = 8;

export async function compareWithSwitch({ tables, packets, target, limit = 5 }: CompareOptions): Promise<Comparison> {
  const unixctl = await Unixctl.connect(target.unixctl);
  try {
    const interpreter = new Interpreter(tables);
    const shownPorts = parsePorts(await unixctl.command('dpif/show'), target.bridge);
    const ofports = new Map(shownPorts.map(({ datapath, number }) => [datapath, number]));
    const ports = new Set(shownPorts.map(({ number }) => number));
    const differences: Difference[] = [];
    const verdicts: Record<string, number> = {};
    const hit = new Set<string>();
    let partly = 0;
    for (let at = 0; at < packets.length && differences.length < limit; at += WINDOW) {
      const batch = packets.slice(at, at + WINDOW);
      const texts = await Promise.all(batch.map((packet) => unixctl.command('ofproto/trace', ...traceArguments(target.bridge, packet))));
      for (const [index, text] of texts.entries()) {
        const outcome = comparePacket(interpreter, batch[index]!, text, ofports, ports);
        if (outcome.difference !== undefined) differences.push(outcome.difference);
        if (outcome.partly) partly++;
        const { trace } = outcome;
        verdicts[trace.verdict] = (verdicts[trace.verdict] ?? 0) + 1;
        for (const step of trace.steps) if (step.kind === 'table' && step.hit !== undefined) hit.add(step.hit.key);
      }
    }
    return { packets: packets.length, verdicts, flows_hit: hit.size, partly, differences };
  } finally {
    unixctl.close();
  }
}

function traceArguments(bridge: string, { fields, ct = [] }: TracedPacket): string[] {
  return [bridge, formatPacket(fields), ...ct.flatMap((state) => ['--ct-next', stateText(state)])];
}

function stateText(state: number): string {
  return Object.entries(CT_STATE)
    .filter(([, bit]) => (state & bit) !== 0)
    .map(([name]) => name)
    .join(',');
}

interface Outcome {
  readonly trace: Trace;
  readonly difference: Difference | undefined;
  readonly partly: boolean;
}

function comparePacket(
  interpreter: Interpreter,
  packet: TracedPacket,
  text: string,
  ofports: ReadonlyMap<string, number>,
  ports: ReadonlySet<number>,
): Outcome {
  const sections = parseTrace(text);
  const traces = interpreter.traceAlternatives(packet.fields, {
    conntrack: new FixedAnswers(packet.ct),
    ports,
  });
  if (sections.some((section) => section.oversized)) return { trace: traces[0]!, difference: undefined, partly: true };
  const byLength = traces.some((trace) => trace.decisions.some((decision) => decision.kind === 'packet_larger'));
  const partly = byLength || sections.some((section) => section.leavesBridge || section.actions.includes('hash('));
  const compare = (trace: Trace): Found | undefined =>
    passesDiffer(trace, sections) ?? (partly ? undefined : effectsDiffer(trace, sections, ofports));
  // One of the ways it might go is the one it went.
  const agreeing = byLength ? traces[0] : traces.find((trace) => compare(trace) === undefined);
  const trace = agreeing ?? traces[0]!;
  const found = byLength ? alternativesDiffer(traces, sections) : agreeing === undefined ? compare(trace) : undefined;
  const difference = found && {
    ...found,
    packet: formatPacket(packet.fields),
    ct: (packet.ct ?? []).map(stateText),
    trace: text,
  };
  return { trace, difference, partly };
}

type Found = Pick<Difference, 'what' | 'interpreter' | 'switch'>;

function walkOf(trace: Trace, pass: number): string[] {
  return trace.steps.flatMap((step) => {
    if (step.kind !== 'table' || step.pass !== pass) return [];
    return step.hit === undefined ? [`${step.table} miss`] : [walked(step.table, step.hit.flow.priority, step.hit.flow.cookie)];
  });
}

function walkedBy(section: TraceSection): string[] {
  return section.tables.map(({ table, priority, cookie }) =>
    priority === undefined ? `${table} miss` : walked(table, priority, cookie ?? 0n),
  );
}

function walked(table: number, priority: number, cookie: bigint): string {
  return `${table} priority ${priority} cookie 0x${cookie.toString(16)}`;
}

/** Not printed with a packet: what `set(nd_ext)` sets, and the id of a tunnel that was not given flags. */
const NOT_PRINTED = /^(nd_(reserved|options_type)|tun_id)$/;

/** Every field a packet has but those matched by `without`. */
function shown(packet: Microflow, without: RegExp): Record<string, string> {
  const fields = Object.entries(packet.toFields()).filter(([field]) => !without.test(field));
  return Object.fromEntries(fields.map(([field, value]) => [field, `0x${BigInt(value as number | bigint).toString(16)}`]));
}

function differ(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b);
}

function passesDiffer(trace: Trace, sections: readonly TraceSection[]): Found | undefined {
  for (const [pass, section] of sections.entries()) {
    const failed = trace.errors.find((error) => error.pass === pass)?.why;
    if ((failed === undefined) !== (section.error === undefined))
      return { what: `error of pass ${pass}`, interpreter: failed, switch: section.error };
    // Forks of a failed pass do not happen, though the switch traces them: later passes do not correspond.
    if (failed !== undefined) return undefined;
    if (trace.finals[pass] === undefined) return { what: 'passes', interpreter: trace.finals.length, switch: sections.length };
    const own = walkOf(trace, pass);
    const theirs = walkedBy(section);
    if (differ(own, theirs)) return { what: `tables of pass ${pass}`, interpreter: own, switch: theirs };
    const final = shown(trace.finals[pass], NOT_PRINTED);
    const expected = shown(Microflow.from(parsePacket(section.finalFlow ?? section.flow)), NOT_PRINTED);
    if (differ(final, expected)) return { what: `packet after pass ${pass}`, interpreter: final, switch: expected };
  }
  return trace.finals.length === sections.length
    ? undefined
    : { what: 'passes', interpreter: trace.finals.length, switch: sections.length };
}

const NOT_IN_FRAME = /^(metadata|reg\d|ct_|tun_|in_port)/;
/** What was set in an earlier pass cannot be read off the start of this one. */
const NOT_IN_LATER_FRAME = new RegExp(`${NOT_IN_FRAME.source}|${NOT_PRINTED.source}`);

function headersOf(packet: Microflow, pass: number): Record<string, string> {
  return shown(packet, pass === 0 ? NOT_IN_FRAME : NOT_IN_LATER_FRAME);
}

function effectsDiffer(trace: Trace, sections: readonly TraceSection[], ofports: ReadonlyMap<string, number>): Found | undefined {
  for (const [pass, section] of sections.entries()) {
    if (section.error !== undefined) return undefined;
    const start = Microflow.from(parsePacket(section.flow));
    const theirs = runActions(section.actions, start);
    const outputs = outputsDiffer(trace, pass, theirs, ofports) ?? puntsDiffer(trace, pass, theirs) ?? commitsDiffer(trace, pass, theirs);
    if (outputs !== undefined) return outputs;
  }
  return undefined;
}

function outputsDiffer(trace: Trace, pass: number, theirs: DatapathResult, ofports: ReadonlyMap<string, number>): Found | undefined {
  const own = trace.outputs.filter((output) => output.pass === pass).map(({ port, packet }) => ({ port, ...headersOf(packet, pass) }));
  const switchs = theirs.outputs.map(({ port, packet }) => ({ port: ofports.get(port), ...headersOf(packet, pass) }));
  return differ(own, switchs) ? { what: `outputs of pass ${pass}`, interpreter: own, switch: switchs } : undefined;
}

function puntsDiffer(trace: Trace, pass: number, theirs: DatapathResult): Found | undefined {
  const own = trace.punts
    .filter((punt) => punt.pass === pass)
    .map(({ by, controller_id, packet }) => ({
      cookie: `0x${(by?.flow.cookie ?? 0n).toString(16)}`,
      controller_id,
      ...headersOf(packet, pass),
    }));
  const switchs = theirs.punts.map(({ cookie, controller_id, packet }) => ({
    cookie: `0x${cookie.toString(16)}`,
    controller_id,
    ...headersOf(packet, pass),
  }));
  return differ(own, switchs) ? { what: `punts of pass ${pass}`, interpreter: own, switch: switchs } : undefined;
}

function commitsDiffer(trace: Trace, pass: number, theirs: DatapathResult): Found | undefined {
  const written = (value: number | bigint, mask: number | bigint): string | undefined =>
    BigInt(mask) === 0n ? undefined : `0x${(BigInt(value) & BigInt(mask)).toString(16)}/0x${BigInt(mask).toString(16)}`;
  const own = trace.commits
    .filter((commit) => commit.pass === pass)
    .map(({ zone, mark, label }) => ({ zone, mark: written(mark.value, mark.mask), label: written(label.value, label.mask) }));
  const switchs = theirs.commits.map(({ zone = '0', mark, label }) => ({
    zone: Number(zone),
    mark: mark && written(...masked(mark, 32)),
    label: label && written(...masked(label, 128)),
  }));
  return differ(own, switchs) ? { what: `commits of pass ${pass}`, interpreter: own, switch: switchs } : undefined;
}

/** `value/mask`; without a mask, of all `bits`. */
function masked(text: string, bits: number): [bigint, bigint] {
  const [value = '0', mask] = text.split('/');
  return [BigInt(value), mask === undefined ? (1n << BigInt(bits)) - 1n : BigInt(mask)];
}

/** The switch's trace follows every branch at once: each table it walked must be in some branch, and the other way round. */
function alternativesDiffer(traces: readonly Trace[], sections: readonly TraceSection[]): Found | undefined {
  const sorted = (lines: Iterable<string>): string[] => [...new Set(lines)].sort();
  const own = sorted(traces.flatMap((trace) => trace.finals.flatMap((_, pass) => walkOf(trace, pass))));
  const theirs = sorted(sections.flatMap(walkedBy));
  return differ(own, theirs) ? { what: 'tables of all branches', interpreter: own, switch: theirs } : undefined;
}
