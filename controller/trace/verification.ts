/**
 * A trace beside what the switches say.
 *
 * Owns: turning the visits of a passage into packets for the switches' own trace, and comparing table walks.
 * Assumes: conntrack answers as the trace took them; the switches are told the states, and neither marks nor translations, so that what comes after a packet of a
 * translated connection got its address back is not compared, nor is what depends on a neighbour outside.
 */
import { setTimeout } from 'node:timers/promises';
import { HotoriError } from '../../flows/model/errors.js';
import type { TraceVerification } from '../../flows/trace/explain/answer.js';
import type { Passage } from '../../flows/trace/explain/passage.js';
import type { Realm } from '../../flows/trace/explain/realm.js';
import { portText } from '../../flows/trace/explain/walk.js';
import { TABLES } from '../../flows/pipeline/tables.js';
import { CT_STATE } from '../../flows/trace/prerequisite.js';
import type { Trace } from '../../flows/trace/result.js';
import { walkOf } from '../../flows/trace/switch/agreement.js';
import { formatPacket } from '../../flows/trace/switch/flow-text.js';
import type { VnmgrCalls } from '../contract.js';
import type { TraceCheck, TraceProbe } from '../messages/slice.js';

/** One visit as its switch is asked about it. */
export interface Probe extends TraceProbe {
  readonly datapath_uuid: string;
  /** Tables walked here, in each pass, as far as they can be compared. */
  readonly walk: readonly (readonly string[])[];
  readonly passes: number;
}

export function probesOf(realm: Realm, { visits, ending }: Passage): Probe[] {
  return visits.map(({ datapath_uuid, packet, trace }, at) => {
    const { in_port, ...fields } = packet;
    return {
      datapath_uuid,
      by: portText(realm.at(datapath_uuid)!, Number(in_port ?? 0)),
      packet: formatPacket(fields),
      ct: trace.tracked.map(({ state }) => state),
      passes: trace.finals.length,
      walk: comparable(trace, ending.kind === 'outside' && ending.visit === at),
    };
  });
}

const L2_LOOKUP = new RegExp(`^${TABLES.L2_LOOKUP.id} `);

function comparable(trace: Trace, isLeaving: boolean): (readonly string[])[] {
  const back = trace.tracked.find(({ state }) => (state & CT_STATE.est) !== 0 && (state & (CT_STATE.snat | CT_STATE.dnat)) !== 0);
  const walks = trace.finals.slice(0, back?.resumed).map((_, pass) => walkOf(trace, pass));
  const last = walks.at(-1);
  if (isLeaving && last !== undefined)
    walks[walks.length - 1] = last.slice(
      0,
      last.findLastIndex((line) => L2_LOOKUP.test(line)),
    );
  return walks;
}

/** Time for what is on its way to a switch to get there. */
const AGAIN_MS = 1_000;

/** Asks the switches; one that does not agree is asked again, for its flows may just be changing. */
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
    let checks = await calls.checkTraces(datapath_uuid, asked);
    let differences = differencesOf(probes, checks);
    if (differences.length > 0) {
      await setTimeout(AGAIN_MS);
      checks = await calls.checkTraces(datapath_uuid, asked);
      differences = differencesOf(probes, checks);
    }
    const partly = checks.some((check) => check.partly);
    return { datapath_uuid, agrees: differences.length === 0, difference: differences[0] ?? null, partly, error: null };
  } catch (error) {
    if (!(error instanceof HotoriError)) throw error;
    return { datapath_uuid, agrees: null, difference: null, partly: false, error: error.message };
  }
}

function differencesOf(probes: readonly Probe[], checks: readonly TraceCheck[]) {
  return probes.flatMap((probe, at) => differenceOf(probe, checks[at]!) ?? []);
}

function differenceOf({ walk, passes }: Probe, { difference, walk: theirs, text }: TraceCheck): TraceVerification['difference'] {
  if (difference !== null) return { what: difference.what, trace: difference.interpreter, switch: difference.switch, text };
  const isSame = (walk.length < passes || passes === theirs.length) && walk.every((own, pass) => isWithin(own, theirs[pass] ?? []));
  return isSame ? null : { what: 'tables', trace: JSON.stringify(walk), switch: JSON.stringify(theirs), text };
}

/** Where the length of a packet decides, the switch's trace goes both ways. */
function isWithin(own: readonly string[], theirs: readonly string[]): boolean {
  const there = new Set(theirs);
  return own.every((line) => there.has(line));
}
