/**
 * A trace beside what the switches say.
 *
 * Owns: turning the visits of a passage into packets for the switches' own trace, and comparing table walks.
 * Assumes: conntrack answers as the trace took them; the switches are told the states, and neither marks nor translations.
 */
import { HotoriError } from '../../flows/model/errors.js';
import type { TraceVerification } from '../../flows/trace/explain/answer.js';
import type { Passage } from '../../flows/trace/explain/passage.js';
import type { Realm } from '../../flows/trace/explain/realm.js';
import { portText } from '../../flows/trace/explain/walk.js';
import { walkOf } from '../../flows/trace/switch/agreement.js';
import { formatPacket } from '../../flows/trace/switch/flow-text.js';
import type { VnmgrCalls } from '../contract.js';
import type { TraceCheck, TraceProbe } from '../messages/slice.js';

/** One visit as its switch is asked about it. */
export interface Probe extends TraceProbe {
  readonly datapath_uuid: string;
  /** Tables walked here, in each pass. */
  readonly walk: readonly (readonly string[])[];
}

export function probesOf(realm: Realm, { visits }: Passage): Probe[] {
  return visits.map(({ datapath_uuid, packet, trace }) => {
    const { in_port, ...fields } = packet;
    return {
      datapath_uuid,
      by: portText(realm.at(datapath_uuid)!, Number(in_port ?? 0)),
      packet: formatPacket(fields),
      ct: trace.tracked.map(({ state }) => state),
      walk: trace.finals.map((_, pass) => walkOf(trace, pass)),
    };
  });
}

/** Asks the switches, each once. */
export async function verify(probes: readonly Probe[], calls: Pick<VnmgrCalls, 'checkTraces'>): Promise<TraceVerification[]> {
  const byDatapath = new Map<string, Probe[]>();
  for (const probe of probes) byDatapath.set(probe.datapath_uuid, [...(byDatapath.get(probe.datapath_uuid) ?? []), probe]);
  return Promise.all([...byDatapath].map(([datapath_uuid, own]) => verifyAt(datapath_uuid, own, calls)));
}

async function verifyAt(
  datapath_uuid: string,
  probes: readonly Probe[],
  calls: Pick<VnmgrCalls, 'checkTraces'>,
): Promise<TraceVerification> {
  try {
    const asked = probes.map(({ by, packet, ct }) => ({ by, packet, ct }));
    const checks = await calls.checkTraces(datapath_uuid, asked);
    const differences = probes.flatMap((probe, at) => differenceOf(probe, checks[at]!) ?? []);
    const partly = checks.some((check) => check.partly);
    return { datapath_uuid, agrees: differences.length === 0, difference: differences[0] ?? null, partly, error: null };
  } catch (error) {
    if (!(error instanceof HotoriError)) throw error;
    return { datapath_uuid, agrees: null, difference: null, partly: false, error: error.message };
  }
}

function differenceOf({ walk }: Probe, { difference, walk: theirs, text }: TraceCheck): TraceVerification['difference'] {
  if (difference !== null) return { what: difference.what, trace: difference.interpreter, switch: difference.switch, text };
  const isSame = walk.length === theirs.length && walk.every((own, pass) => isWithin(own, theirs[pass]!));
  return isSame ? null : { what: 'tables', trace: JSON.stringify(walk), switch: JSON.stringify(theirs), text };
}

/** Where the length of a packet decides, the switch's trace goes both ways. */
function isWithin(own: readonly string[], theirs: readonly string[]): boolean {
  const there = new Set(theirs);
  return own.every((line) => there.has(line));
}
