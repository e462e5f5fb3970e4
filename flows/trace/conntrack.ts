/**
 * What `ct` answers.
 *
 * Owns: the question the interpreter asks when a packet goes through conntrack, the answer, and the simplest way to answer: a fixed list, as
 * `ofproto/trace --ct-next` does.
 * Promises: connection-table.ts is the other way, with memory.
 */
import type { FieldName } from '../openflow/fields.js';
import type { FieldValue } from '../openflow/match.js';
import type { NatAction } from '../openflow/action.js';
import type { Microflow } from './microflow.js';
import { CT_STATE } from './prerequisite.js';

export interface CtRequest {
  readonly zone: number;
  readonly packet: Microflow;
  /** The packet an ICMP error quotes, if known. */
  readonly quoted?: Microflow | undefined;
  readonly commit: boolean;
  readonly force: boolean;
  readonly nat?: NatAction | undefined;
  /** Bits of the connection's mark and label that a commit writes. */
  readonly mark: { readonly value: number; readonly mask: number };
  readonly label: { readonly value: bigint; readonly mask: bigint };
  /** Whether the packet goes on with the answer (`table=`). */
  readonly recirculates: boolean;
}

export interface CtAnswer {
  /** ct_state bits. */
  readonly state: number;
  /** Of the connection; absent leaves what `exec` wrote. */
  readonly mark?: number | undefined;
  readonly label?: bigint | undefined;
  /** What NAT changes in the packet, and the original tuple: fields to write before the packet goes on. */
  readonly rewrite?: Readonly<Partial<Record<FieldName, FieldValue>>> | undefined;
}

export interface Conntrack {
  /** The answer, or undefined if it cannot be known: the packet's fate is then undecidable. */
  track(request: CtRequest): CtAnswer | undefined;
  /** An independent copy, for asking "what if". */
  clone(): Conntrack;
}

/**
 * Answers each recirculating `ct` with the next state of a list, then `trk|new`. NAT is taken to translate to the first address and port, as
 * ofproto/trace does; mark and label are what the packet carried or `exec` wrote.
 */
export class FixedAnswers implements Conntrack {
  readonly #states: readonly number[];
  #next: number;

  constructor(states: readonly number[] = [], next = 0) {
    this.#states = states;
    this.#next = next;
  }

  track(request: CtRequest): CtAnswer {
    if (!request.recirculates) return { state: 0 };
    const state = this.#states[this.#next++] ?? CT_STATE.trk | CT_STATE.new;
    return { state, rewrite: request.nat && natRewrite(request.packet, request.nat) };
  }

  clone(): FixedAnswers {
    return new FixedAnswers(this.#states, this.#next);
  }
}

/** Fields that translating to the first address and port of a range writes. */
export function natRewrite(packet: Microflow, nat: NatAction): Partial<Record<FieldName, FieldValue>> {
  const side = nat.direction;
  if (side === undefined) return {};
  const rewrite: Partial<Record<FieldName, FieldValue>> = {};
  if (nat.ipv4_min !== undefined) rewrite[`ip_${side}`] = nat.ipv4_min;
  if (nat.ipv6_min !== undefined) rewrite[`ipv6_${side}`] = nat.ipv6_min;
  const port = portField(packet, side);
  if (nat.port_min !== undefined && port !== undefined) rewrite[port] = nat.port_min;
  return rewrite;
}

/** The port field of a packet's protocol. */
export function portField(packet: Microflow, side: 'src' | 'dst'): FieldName | undefined {
  switch (packet.number('nw_proto')) {
    case 6:
      return `tcp_${side}`;
    case 17:
      return `udp_${side}`;
    case 132:
      return `sctp_${side}`;
    default:
      return undefined;
  }
}
