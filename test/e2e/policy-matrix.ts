/**
 * Nine endpoints in two networks, what each asks of every other, and how that is written down.
 *
 * Owns: the endpoints, the probes, the matrix of outcomes, a policy in words.
 */
import { parseIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { parseMac } from '../../flows/net/mac.js';
import type { FieldRecord } from '../../flows/trace/microflow.js';
import type { Policy } from '../flows/policy/arbitrary-policy.js';
import type { Probe } from '../flows/policy/reference-evaluator.js';
import type { Outcome } from '../lab/probes.js';
import { address, type VmPlan } from './world.js';

export const SERVED_PORTS = [80, 443];

export const plans: readonly VmPlan[] = Array.from({ length: 9 }, (_, n) => ({
  name: `e${n + 1}`,
  network: n < 5 ? 'a' : 'b',
  host: 11 + n,
}));
export const places = plans.map(address);

export interface DirectedProbe extends Probe {
  readonly from: number;
  readonly to: number;
}

/** What every endpoint asks of every other: tcp 80, tcp 443, udp 80 and echo over IPv4, then the same over IPv6. */
export function probesFrom(from: number): DirectedProbe[] {
  return places.flatMap((target, to) =>
    from === to
      ? []
      : (['ipv4', 'ipv6'] as const).flatMap((family): DirectedProbe[] => {
          const ends = { from, to, src: places[from]![family], dst: target[family] };
          return [
            ...SERVED_PORTS.map((port) => ({ ...ends, protocol: 'tcp' as const, port })),
            { ...ends, protocol: 'udp', port: SERVED_PORTS[0]! },
            family === 'ipv4' ? { ...ends, protocol: 'icmp', port: 8 } : { ...ends, protocol: 'icmpv6', port: 128 },
          ];
        }),
  );
}

/** The first packet of a probe as its sender's port gets it. */
export function firstPacket({ from, to, src, dst, protocol, port }: DirectedProbe, inPort: number, macs: readonly string[]): FieldRecord {
  const { network } = plans[from]!;
  const nextHop = plans[to]!.network === network ? macs[to]! : `02:00:00:00:0${network === 'a' ? 1 : 2}:01`;
  const frame = { in_port: inPort, eth_src: parseMac(macs[from]!), eth_dst: parseMac(nextHop), nw_ttl: 64 };
  const ends = src.includes(':')
    ? { eth_type: 0x86dd, ipv6_src: parseIpv6(src), ipv6_dst: parseIpv6(dst) }
    : { eth_type: 0x0800, ip_src: parseIpv4(src), ip_dst: parseIpv4(dst) };
  switch (protocol) {
    case 'tcp':
      return { ...frame, ...ends, nw_proto: 6, tcp_src: 40_000, tcp_dst: port, tcp_flags: 2 };
    case 'icmp':
      return { ...frame, ...ends, nw_proto: 1, icmp_type: port, icmp_code: 0 };
    case 'icmpv6':
      return { ...frame, ...ends, nw_proto: 58, icmpv6_type: port, icmpv6_code: 0 };
    default:
      return { ...frame, ...ends, nw_proto: 17, udp_src: 40_000, udp_dst: port };
  }
}

const LETTER: Record<Outcome, string> = { allow: '+', drop: '.', reject: 'x' };

/** One line per sender, one column per receiver, one letter per probe of the pair. @param outcomes by sender, in the order of probesFrom */
export function matrixOf(outcomes: readonly (readonly Outcome[])[]): string {
  const rows = outcomes.map((row, from) => {
    const probes = probesFrom(from);
    const cells = plans.map((_, to) =>
      to === from ? '-' : row.map((outcome, i) => (probes[i]!.to === to ? LETTER[outcome] : '')).join(''),
    );
    return [plans[from]!.name, ...cells.map((cell) => cell.padEnd(8))].join(' ').trimEnd();
  });
  return [`   ${plans.map(({ name }) => name.padEnd(8)).join(' ')}`.trimEnd(), ...rows].join('\n');
}

/** Tier, priority, direction and action of each rule first. */
export function describePolicy({ groups, addressSets, membership }: Policy): string {
  const rules = groups.flatMap((group) =>
    group.rules.map((rule) => {
      const type = rule.icmp_type === null ? '' : `type ${rule.icmp_type}`;
      const how = [rule.stateful ? '' : 'without state', rule.persist_established ? 'persistent' : ''];
      const remote = Object.values(rule.remote)
        .map((value) => (value === true ? 'any' : value))
        .join();
      const what = [
        rule.tier ?? group.tier,
        rule.priority,
        rule.direction,
        rule.action,
        rule.protocol,
        rule.ports.join(),
        type,
        remote,
        ...how,
      ];
      return `${group.uuid} (${group.default}): ${what.filter((part) => part !== '').join(' ')}`;
    }),
  );
  const sets = Object.entries(addressSets).map(([uuid, prefixes]) => `${uuid}: ${prefixes.join(' ')}`);
  const members = membership.map((uuids, n) => `${plans[n]!.name} ${Object.values(places[n]!).join(' ')}: ${uuids.join(' ')}`.trimEnd());
  return [...rules, ...sets, ...members].join('\n');
}

/** @throws Error with the policy and both matrices in full when they differ */
export function expectMatrix(
  who: string,
  policy: Policy,
  expected: readonly (readonly Outcome[])[],
  seen: readonly (readonly Outcome[])[],
): void {
  const [right, wrong] = [matrixOf(expected), matrixOf(seen)];
  if (right !== wrong) throw new Error(`${describePolicy(policy)}\nexpected:\n${right}\n${who}:\n${wrong}`);
}
