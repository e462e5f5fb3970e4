/**
 * Lines about what security group rules allowed or denied.
 *
 * Owns: what a line says; the rate of each rule.
 * Promises: at most the rule's rate of lines per second; the line after a pause says how many were left out.
 */
import { formatIp, type Ip } from '../../flows/net/ip.js';
import { decodeEthernet } from '../../flows/packet/ethernet.js';
import { IP_PROTOCOL } from '../../flows/packet/numbers.js';
import type { PolicyPunt } from '../../flows/pipeline/punt.js';
import type { PuntedFrame } from './contract.js';
import type { PolicyNames } from './policy-names.js';
import { upperOf } from './reject.js';

export interface PolicyLine {
  readonly verdict: 'allowed' | 'dropped' | 'rejected';
  readonly direction: 'egress' | 'ingress';
  readonly rule: string;
  readonly security_group: string;
  /** The interface the rule is enforced for; null when many receive the packet. */
  readonly interface: string | null;
  readonly protocol: string;
  readonly src: string;
  readonly dst: string;
  readonly src_port?: number;
  readonly dst_port?: number;
  /** Lines of this rule left out since the last one. */
  readonly suppressed: number;
}

export interface PolicyLogOptions {
  readonly names: Pick<PolicyNames, 'rule' | 'interfaceOf'>;
  /** Milliseconds of a clock that does not go back. */
  readonly now: () => number;
  readonly write: (line: PolicyLine) => void;
  /** Rules remembered; 10,000 unless told. */
  readonly max_rules?: number;
}

interface Budget {
  tokens: number;
  at: number;
  suppressed: number;
}

const VERDICTS = { log_allowed: 'allowed', log_denied: 'dropped', reject: 'rejected' } as const;
const PROTOCOLS = new Map<number, string>([
  [IP_PROTOCOL.TCP, 'tcp'],
  [IP_PROTOCOL.UDP, 'udp'],
  [IP_PROTOCOL.SCTP, 'sctp'],
  [IP_PROTOCOL.ICMPV4, 'icmp'],
  [IP_PROTOCOL.ICMPV6, 'icmpv6'],
]);
const MAX_RULES = 10_000;

export class PolicyLog {
  readonly #options: PolicyLogOptions;
  /** By rule key, the least recently used first. */
  readonly #budgets = new Map<number, Budget>();

  constructor(options: PolicyLogOptions) {
    this.#options = options;
  }

  /** @returns whether a line was written */
  note(punt: PolicyPunt, { data, port_key, registers }: PuntedFrame): boolean {
    const { names, write } = this.#options;
    const named = registers && names.rule(registers.rule_key);
    if (named === undefined || named.rule.log === null) return false;
    const suppressed = this.#take(registers!.rule_key, named.rule.log.rate);
    if (suppressed === undefined) return false;
    const iface = names.interfaceOf(punt.direction === 'egress' ? port_key : registers!.destination_port);
    write({
      verdict: VERDICTS[punt.kind],
      direction: punt.direction,
      rule: named.rule.uuid,
      security_group: named.security_group_uuid,
      interface: iface ?? null,
      ...describe(data),
      suppressed,
    });
    return true;
  }

  /** @returns how many were left out before, or undefined when this one is left out too */
  #take(key: number, rate: number): number | undefined {
    const now = this.#options.now();
    const budget = this.#budgets.get(key) ?? { tokens: rate, at: now, suppressed: 0 };
    this.#budgets.delete(key);
    if (this.#budgets.size >= (this.#options.max_rules ?? MAX_RULES)) {
      const [oldest] = this.#budgets.keys();
      if (oldest !== undefined) this.#budgets.delete(oldest);
    }
    this.#budgets.set(key, budget);
    budget.tokens = Math.min(rate, budget.tokens + ((now - budget.at) / 1000) * rate);
    budget.at = now;
    if (budget.tokens < 1) {
      budget.suppressed++;
      return undefined;
    }
    budget.tokens -= 1;
    const { suppressed } = budget;
    budget.suppressed = 0;
    return suppressed;
  }
}

function describe(data: Uint8Array): Pick<PolicyLine, 'protocol' | 'src' | 'dst' | 'src_port' | 'dst_port'> {
  const frame = decodeEthernet(data);
  const upper = frame.ok ? upperOf(frame.value.eth_type, frame.value.payload) : undefined;
  if (upper === undefined) return { protocol: 'other', src: '', dst: '' };
  const { ends, protocol, bytes } = upper;
  const [src, dst]: Ip[] =
    ends.family === 'ipv4'
      ? [
          { family: 'ipv4', value: ends.src },
          { family: 'ipv4', value: ends.dst },
        ]
      : [
          { family: 'ipv6', value: ends.src },
          { family: 'ipv6', value: ends.dst },
        ];
  const named = { protocol: PROTOCOLS.get(protocol) ?? String(protocol), src: formatIp(src!), dst: formatIp(dst!) };
  const hasPorts = protocol === IP_PROTOCOL.TCP || protocol === IP_PROTOCOL.UDP || protocol === IP_PROTOCOL.SCTP;
  if (!hasPorts || bytes.length < 4) return named;
  return { ...named, src_port: (bytes[0]! << 8) | bytes[1]!, dst_port: (bytes[2]! << 8) | bytes[3]! };
}
