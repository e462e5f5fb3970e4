/**
 * Random policies over a handful of VMs, what the reference evaluator needs of them, and probes between them.
 *
 * Promises: a policy passes the model's invariants, so that it can also be sent to a controller.
 */
import fc from 'fast-check';
import type { SecurityGroup, SecurityGroupRule } from '../../../flows/model/entities/security-group.js';
import { groupRule, securityGroup } from '../compile/slice-builder.js';
import type { PolicyModel, Probe } from './reference-evaluator.js';

export interface Policy {
  readonly groups: readonly SecurityGroup[];
  /** Prefixes by uuid. */
  readonly addressSets: Readonly<Record<string, readonly string[]>>;
  /** Groups of each VM, by its number. */
  readonly membership: readonly (readonly string[])[];
}

export interface Place {
  readonly ipv4: string;
  readonly ipv6: string;
}

const GROUPS = ['sg-a', 'sg-b', 'sg-c', 'sg-d'];
const PORTS = [['80'], ['22', '443'], ['1-65535'], ['79-1025'], []];

export const PROBE_PORTS = [22, 80, 443, 1024, 5000];

/** @param stateless false leaves out rules without state: what is compared then need not know about replies. */
export function arbitraryPolicy(places: readonly Place[], { stateless = true, log = true } = {}): fc.Arbitrary<Policy> {
  const cidrs = [
    '0.0.0.0/0',
    '::/0',
    ...places.flatMap(({ ipv4, ipv6 }) => [`${ipv4}/32`, `${ipv6}/128`]),
    '10.1.0.0/24',
    '10.2.0.0/24',
    'fd00:1::/64',
  ];
  const remote = fc.oneof(
    { weight: 2, arbitrary: fc.constant({ any: true as const }) },
    { weight: 3, arbitrary: fc.constantFrom(...cidrs).map((cidr) => ({ cidr })) },
    { weight: 3, arbitrary: fc.constantFrom(...GROUPS).map((security_group_uuid) => ({ security_group_uuid })) },
    { weight: 1, arbitrary: fc.constantFrom('as-1', 'as-2').map((address_set_uuid) => ({ address_set_uuid })) },
  );
  const rule = fc
    .record({
      direction: fc.constantFrom('ingress' as const, 'ingress' as const, 'egress' as const),
      action: fc.constantFrom('allow' as const, 'allow' as const, 'allow' as const, 'drop' as const, 'reject' as const),
      priority: fc.constantFrom(500, 500, 500, 0, 400, 999),
      tier: fc.constantFrom(null, null, null, 'admin' as const, 'baseline' as const),
      isStateless: stateless ? fc.constantFrom(false, false, true) : fc.constant(false),
      persist: fc.boolean(),
      logs: log ? fc.constantFrom(false, false, true) : fc.constant(false),
      protocol: fc.constantFrom('tcp' as const, 'tcp' as const, 'udp' as const, 'icmp' as const, 'icmpv6' as const, 'any' as const),
      ports: fc.constantFrom(...PORTS),
      ping: fc.boolean(),
      remote,
    })
    .map((draft): Omit<SecurityGroupRule, 'uuid' | 'rule_key'> => {
      const { direction, action, priority, tier, isStateless, persist, logs, protocol, ports, ping } = draft;
      const isAllow = action === 'allow';
      const family = protocol === 'icmp' ? 'ipv4' : protocol === 'icmpv6' ? 'ipv6' : undefined;
      const cidr = 'cidr' in draft.remote ? draft.remote.cidr : undefined;
      const clash = family !== undefined && cidr !== undefined && cidr.includes(':') !== (family === 'ipv6');
      return {
        direction,
        action,
        priority,
        tier,
        stateful: !(isAllow && isStateless),
        persist_established: isAllow && !isStateless && persist,
        log: logs ? { rate: 10 } : null,
        family: null,
        protocol,
        ports: protocol === 'tcp' || protocol === 'udp' ? ports : [],
        icmp_type: family !== undefined && ping ? (family === 'ipv4' ? 8 : 128) : null,
        icmp_code: null,
        remote: clash ? { any: true } : draft.remote,
      };
    });
  const group = (name: string, first: number) =>
    fc
      .tuple(
        fc.array(rule, { maxLength: 5 }),
        fc.constantFrom('deny' as const, 'deny' as const, 'allow' as const),
        fc.constantFrom('tenant' as const, 'admin' as const),
      )
      .map(([rules, rest, tier]) =>
        securityGroup(
          name,
          rules.map((content, n) => groupRule(`${name}${n}`, first + n, content)),
          { default: rest, tier },
        ),
      );
  return fc
    .record({
      groups: fc.tuple(...GROUPS.map((uuid, n) => group(uuid.slice(3), 100 * (n + 1)))),
      one: fc.subarray(cidrs.slice(2), { maxLength: 4 }),
      two: fc.subarray(cidrs.slice(2), { maxLength: 2 }),
      membership: fc.array(fc.subarray(GROUPS, { maxLength: 3 }), { minLength: places.length, maxLength: places.length }),
    })
    .map(({ groups, one, two, membership }) => ({ groups, addressSets: { 'as-1': [...one].sort(), 'as-2': [...two].sort() }, membership }));
}

/** What the reference evaluator reads, of a policy for VMs at these places. */
export function modelOf({ groups, addressSets, membership }: Policy, places: readonly Place[]): PolicyModel {
  return {
    groups: new Map(groups.map((group) => [group.uuid, group])),
    addressSets: new Map(Object.entries(addressSets)),
    ownerOf: (address) => {
      const n = places.findIndex(({ ipv4, ipv6 }) => ipv4 === address || ipv6 === address);
      return n < 0 ? undefined : { security_group_uuids: [...membership[n]!] };
    },
  };
}

/** Every ordered pair of places and every kind of probe. */
export function allProbes(places: readonly Place[]): (Probe & { readonly from: number; readonly to: number })[] {
  return places.flatMap((source, from) =>
    places.flatMap((target, to) => {
      if (from === to) return [];
      return (['ipv4', 'ipv6'] as const).flatMap((family) => {
        const ends = { from, to, src: source[family], dst: target[family] };
        const icmp = family === 'ipv4' ? ({ protocol: 'icmp', port: 8 } as const) : ({ protocol: 'icmpv6', port: 128 } as const);
        return [
          ...PROBE_PORTS.flatMap((port) => [
            { ...ends, protocol: 'tcp' as const, port },
            { ...ends, protocol: 'udp' as const, port },
          ]),
          { ...ends, ...icmp },
        ];
      });
    }),
  );
}
