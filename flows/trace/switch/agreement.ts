/**
 * The interpreter against what the switch says of the same packet.
 *
 * Owns: finding the first thing the two disagree on: tables walked with priorities and cookies, the packet at the end of each pass, every output with the
 * headers it has, every punt with the flow that makes it, conntrack commits.
 * Assumes: the switch holds the tables of the interpreter. Conntrack answers come from a list on both sides (`--ct-next`).
 * Promises: pure. Where the switch may do either of several things (conjunctions satisfied at once, packets told apart by length) the interpreter tries all.
 * The switch does not trace beyond a select group.
 */
import { FixedAnswers } from '../conntrack.js';
import type { Interpreter } from '../interpreter.js';
import { Microflow, type FieldRecord } from '../microflow.js';
import { CT_STATE } from '../prerequisite.js';
import type { Trace } from '../result.js';
import { runActions, type DatapathResult } from './datapath-actions.js';
import { formatPacket, parsePacket } from './flow-text.js';
import type { ShownPort } from './ports.js';
import { parseTrace, type TraceSection } from './trace-text.js';

export interface TracedPacket {
  readonly fields: FieldRecord;
  /** ct_state for each pass through conntrack, in order; afterwards `trk|new`. */
  readonly ct?: readonly number[] | undefined;
}

export interface Difference {
  readonly what: string;
  readonly packet: string;
  readonly ct: readonly string[];
  readonly interpreter: unknown;
  readonly switch: unknown;
  readonly trace: string;
}

/** Of `ofproto/trace`. */
export function traceArguments(bridge: string, { fields, ct = [] }: TracedPacket): string[] {
  return [bridge, formatPacket(fields), ...ct.flatMap((state) => ['--ct-next', stateText(state)])];
}

function stateText(state: number): string {
  return Object.entries(CT_STATE)
    .filter(([, bit]) => (state & bit) !== 0)
    .map(([name]) => name)
    .join(',');
}

export interface Agreement {
  readonly trace: Trace;
  readonly difference: Difference | undefined;
  /** Outputs could not be compared: the packet left through a patch port, or its length decides. */
  readonly partly: boolean;
  /** Tables the switch walked, in each pass. */
  readonly walk: readonly (readonly string[])[];
}

/** @param text what `ofproto/trace` printed @param shown the ports of the bridge */
export function agreementOn(interpreter: Interpreter, packet: TracedPacket, text: string, shown: readonly ShownPort[]): Agreement {
  const ofports = new Map(shown.map(({ datapath, number }) => [datapath, number]));
  const ports = new Set(shown.map(({ number }) => number));
  const sections = parseTrace(text);
  const walk = sections.map(walkedBy);
  const traces = interpreter.traceAlternatives(packet.fields, {
    conntrack: new FixedAnswers(packet.ct),
    ports,
  });
  if (sections.some((section) => section.oversized)) return { trace: traces[0]!, difference: undefined, partly: true, walk };
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
  return { trace, difference, partly, walk };
}

type Found = Pick<Difference, 'what' | 'interpreter' | 'switch'>;

/** Tables of one pass, each with priority and cookie of the flow hit. */
export function walkOf(trace: Trace, pass: number): string[] {
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
