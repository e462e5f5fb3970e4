/**
 * From a punted frame to the frames that answer it.
 *
 * Owns: which responder answers which kind of punt, the rate of each port and kind, the counters.
 * Assumes: the switch meters each kind already; what is left to prevent is one port taking the whole of it from the others.
 */
import { PUNT_KINDS, type PuntKind } from '../../flows/pipeline/punt.js';
import { answer, type Outcome, type PuntedFrame, type RespondContext, type Response } from './contract.js';
import { respondDhcp } from './dhcp-server.js';
import { respondIcmpError } from './icmp-error.js';
import { respondRouterSolicit } from './router-advertiser.js';
import { respondReject } from './reject.js';
import type { PolicyLog } from './policy-log.js';
import { TokenBuckets, type Rate } from './token-buckets.js';

export interface DispatcherOptions {
  readonly context: RespondContext;
  /** Told what rules that log have decided. */
  readonly policyLog?: Pick<PolicyLog, 'note'> | undefined;
  /** Milliseconds of a clock that does not go back. */
  readonly now: () => number;
  /** Per port; those absent have DEFAULT_RATES. */
  readonly rates?: Partial<Record<PuntKind, Rate>>;
  /** Ports remembered for each kind; 65,536 unless told. */
  readonly max_ports?: number;
}

export interface OutcomeCount {
  readonly kind: PuntKind;
  readonly outcome: Outcome;
  readonly count: number;
}

/** Several traceroutes at once are ordinary; a client asks a server a few times a minute. */
const DEFAULT_RATES: Record<PuntKind, Rate> = {
  dhcpv4: { per_second: 10, burst: 20 },
  router_solicit: { per_second: 10, burst: 20 },
  time_exceeded: { per_second: 100, burst: 200 },
  net_unreachable: { per_second: 50, burst: 100 },
  host_unreachable: { per_second: 50, burst: 100 },
  port_unreachable: { per_second: 50, burst: 100 },
  prohibited: { per_second: 50, burst: 100 },
  protocol_unreachable: { per_second: 50, burst: 100 },
  beyond_scope: { per_second: 50, burst: 100 },
  too_big: { per_second: 50, burst: 100 },
  neighbor: { per_second: 1000, burst: 2000 },
  resolve: { per_second: 1000, burst: 2000 },
  log_allowed: { per_second: 500, burst: 1000 },
  log_denied: { per_second: 500, burst: 1000 },
  reject: { per_second: 50, burst: 100 },
  gateway_probe: { per_second: 1000, burst: 1000 },
  way_probe: { per_second: 1000, burst: 1000 },
  live: { per_second: 1000, burst: 1000 },
};

const MAX_PORTS = 65_536;

export class Dispatcher {
  readonly #context: RespondContext;
  readonly #policyLog: Pick<PolicyLog, 'note'> | undefined;
  readonly #now: () => number;
  readonly #buckets: ReadonlyMap<PuntKind, TokenBuckets>;
  readonly #counts: ReadonlyMap<PuntKind, Map<Outcome, number>>;

  constructor({ context, policyLog, now, rates = {}, max_ports = MAX_PORTS }: DispatcherOptions) {
    this.#context = context;
    this.#policyLog = policyLog;
    this.#now = now;
    const kinds = Object.keys(PUNT_KINDS) as PuntKind[];
    this.#buckets = new Map(kinds.map((kind) => [kind, new TokenBuckets(rates[kind] ?? DEFAULT_RATES[kind], max_ports)]));
    this.#counts = new Map(kinds.map((kind) => [kind, new Map<Outcome, number>()]));
  }

  /** What to send; nothing where no answer is due. Never throws for the bytes of a frame. */
  answer(punted: PuntedFrame): Pick<Response, 'frames' | 'injected'> {
    const { punt } = punted;
    const { kind } = punt;
    const admitted = this.#buckets.get(kind)!.take(punted.port_key, this.#now());
    const response = admitted ? respond(punted, this.#context) : answer('limited');
    if (admitted && 'log' in punt && punt.log) this.#policyLog?.note(punt, punted);
    const counts = this.#counts.get(kind)!;
    counts.set(response.outcome, (counts.get(response.outcome) ?? 0) + 1);
    return response;
  }

  /** How often each outcome was seen so far. */
  counts(): readonly OutcomeCount[] {
    return Array.from(this.#counts, ([kind, counts]) => Array.from(counts, ([outcome, count]) => ({ kind, outcome, count }))).flat();
  }
}

/** One frame, without rates and counters. */
export function respond(punted: PuntedFrame, context: RespondContext): Response {
  const { punt } = punted;
  switch (punt.kind) {
    case 'dhcpv4':
      return respondDhcp(punted, context);
    case 'router_solicit':
      return respondRouterSolicit(punted, context);
    case 'reject':
      return respondReject(punt, punted);
    case 'log_allowed':
    case 'log_denied':
    case 'gateway_probe':
    case 'way_probe':
    case 'live':
      return answer('noted');
    case 'neighbor':
    case 'resolve':
      // Whoever keeps the neighbours of gateways has it (agent/neighbors.ts).
      return answer('noted');
    default:
      return respondIcmpError(punt.kind, punted, context);
  }
}
