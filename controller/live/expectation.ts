/**
 * What traces say of packets that were seen.
 *
 * Owns: the question that is about such a packet, and whether the answer comes to what was seen.
 * Promises: no more than MOST_EXPLAINED different questions are asked for one live trace.
 */
import { HotoriError } from '../../flows/model/errors.js';
import { CT } from '../../flows/pipeline/build.js';
import type { TraceAnswer } from '../../flows/trace/explain/answer.js';
import { impossibilities, traceInput, type TraceQuestion } from '../../flows/trace/explain/question.js';
import type { TraceRequest } from '../contract.js';
import type { LiveJourney, LiveReason } from './answer.js';
import type { Outcome, Sighting } from './journeys.js';

export type Expectation = LiveJourney['expected'];

/** Different packets that traces are asked about. */
const MOST_EXPLAINED = 8;

export class Expectations {
  readonly #trace: (request: TraceRequest) => Promise<TraceAnswer>;
  /** The interface that sends. */
  readonly #source: string;
  readonly #asked = new Map<string, Promise<TraceAnswer | undefined>>();

  constructor(source: string, trace: (request: TraceRequest) => Promise<TraceAnswer>) {
    this.#source = source;
    this.#trace = trace;
  }

  /** @param sightings in the order of its way @returns null where no trace can be asked */
  async of(outcome: Outcome, sightings: readonly Sighting[]): Promise<Expectation> {
    const question = questionOf(this.#source, sightings);
    const key = JSON.stringify(question);
    if (question !== undefined && !this.#asked.has(key) && this.#asked.size < MOST_EXPLAINED)
      this.#asked.set(key, this.#trace({ question }).catch(refused));
    return expectation(outcome, await this.#asked.get(key));
  }
}

function refused(error: unknown): undefined {
  if (!(error instanceof HotoriError)) throw error;
}

/** Why it is denied a trace says in more words than the switch; where both come to the same. */
export function explained({ verdict, reason }: Outcome, expected: Expectation): LiveReason {
  if (expected?.agrees !== true || (verdict !== 'dropped' && verdict !== 'rejected')) return reason;
  const { text, uuids, nearest } = expected;
  return { ...reason, text, uuids, nearest };
}

const SYN = 0x02;
const ETHERNET = 14;

/** The trace that is about such a packet as its sender sent it; undefined where none can be asked. @param sightings at least one, in the order of its way */
function questionOf(source: string, sightings: readonly Sighting[]): TraceQuestion | undefined {
  const [{ point, packet, routers_crossed }] = sightings as [Sighting];
  const isAny = (state: number) => sightings.some(({ ct_state }) => (ct_state & state) !== 0);
  // What is a reply, a trace cannot be asked.
  if (isAny(CT.rpl | CT.rel)) return undefined;
  const { protocol, source: from, destination: to, icmp_type, icmp_code, tcp_flags, size, eth_src, ttl } = packet;
  const parsed = traceInput.safeParse({
    source,
    destination: to?.address,
    protocol,
    source_port: from?.port ?? undefined,
    destination_port: to?.port ?? undefined,
    icmp_type: icmp_type ?? undefined,
    icmp_code: icmp_code ?? undefined,
    ttl: (ttl ?? 0) + routers_crossed,
    size: Math.max(20, size - ETHERNET),
    ct_state: isAny(CT.est) || (!isAny(CT.new) && tcp_flags !== null && (tcp_flags & SYN) === 0) ? 'established' : 'new',
    source_address: from?.address,
    // Further on it is a router's.
    source_mac: point === 'entry' ? eth_src : undefined,
  });
  return parsed.success && impossibilities(parsed.data).length === 0 ? parsed.data : undefined;
}

function expectation({ verdict, reason }: Outcome, answer: TraceAnswer | undefined): Expectation {
  if (answer === undefined) return null;
  const said = answer.would_be ?? answer;
  const isSame = said.verdict === verdict || (verdict === 'left' && said.verdict === 'undecidable');
  const agrees = isSame && (said.verdict === 'dropped' || said.verdict === 'rejected' ? said.reason.code === reason.code : true);
  const { code, text, uuids, nearest } = said.reason;
  return { verdict: said.verdict, code, text, uuids, nearest, agrees };
}
