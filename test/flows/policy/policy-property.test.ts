import fc from 'fast-check';
import { createCompiler } from '../../../flows/compile/compiler.js';
import { parseIpv4, parseIpv6 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import { decodePunt } from '../../../flows/pipeline/punt.js';
import { NOMINAL } from '../../../flows/pipeline/registers.js';
import type { InputRecord } from '../../../flows/pipeline/rule.js';
import { TABLES, USER_TABLES } from '../../../flows/pipeline/tables.js';
import { checkTables } from '../../../flows/trace/checkers.js';
import { ConnectionTable } from '../../../flows/trace/connection-table.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import type { Trace } from '../../../flows/trace/result.js';
import { addressSet, iface, ipLease, localPort, macLease, network, policyClass } from '../compile/slice-builder.js';
import { allProbes, arbitraryPolicy, type Policy } from './arbitrary-policy.js';
import { judge, judgeBoth, type PolicyModel, type Probe } from './reference-evaluator.js';

const VMS = 4;
const places = Array.from({ length: VMS }, (_, n) => ({ ipv4: `10.1.0.${10 + n}`, ipv6: `fd00:1::${10 + n}` }));
const macOf = (n: number) => `0a:00:00:00:00:${10 + n}`;

/** The slice of a hypervisor that has every VM. Membership `absent` leaves out which groups a class has: it tells one class from another. */
function slice({ groups, addressSets, membership }: Policy): InputRecord[] {
  const classes = new Map<string, number>();
  const records: InputRecord[] = [network('n', 1, { ipv4_network: '10.1.0.0', ipv6_network: 'fd00:1::', ipv6_prefix: 64 }), ...groups];
  for (const [uuid, addresses] of Object.entries(addressSets)) records.push(addressSet(uuid.slice(3), [...addresses]));
  for (const [n, uuids] of membership.entries()) {
    const name = uuids.join();
    if (uuids.length > 0 && !classes.has(name)) {
      classes.set(name, classes.size + 1);
      records.push(
        policyClass(
          classes.size,
          uuids.map((uuid) => uuid.slice(3)),
        ),
      );
    }
    records.push(
      iface(`vm${n}`, n + 1, { policy_class_key: classes.get(name) ?? 0, security_group_uuids: [...uuids] }),
      macLease(`vm${n}`, macOf(n)),
      ipLease(`vm${n}`, 'n', places[n]!.ipv4),
      ipLease(`vm${n}`, 'n', places[n]!.ipv6),
      localPort(`vm${n}`, n + 1),
    );
  }
  return records;
}

function modelOf({ groups, addressSets, membership }: Policy): PolicyModel {
  return {
    groups: new Map(groups.map((group) => [group.uuid, group])),
    addressSets: new Map(Object.entries(addressSets)),
    ownerOf: (address) => {
      const n = places.findIndex(({ ipv4, ipv6 }) => ipv4 === address || ipv6 === address);
      return n < 0 ? undefined : { security_group_uuids: [...membership[n]!] };
    },
  };
}

function packetOf({ src, dst, protocol, port, from, to }: Probe & { from: number; to: number }): FieldRecord {
  const v6 = src.includes(':');
  const ends = v6
    ? { eth_type: 0x86dd, ipv6_src: parseIpv6(src), ipv6_dst: parseIpv6(dst) }
    : { eth_type: 0x800, ip_src: parseIpv4(src), ip_dst: parseIpv4(dst) };
  const upper: FieldRecord =
    protocol === 'tcp'
      ? { nw_proto: 6, tcp_src: 40000, tcp_dst: port, tcp_flags: 2 }
      : protocol === 'udp'
        ? { nw_proto: 17, udp_src: 40000, udp_dst: port }
        : protocol === 'icmp'
          ? { nw_proto: 1, icmp_type: port, icmp_code: 0 }
          : { nw_proto: 58, icmpv6_type: port, icmpv6_code: 0 };
  return {
    in_port: from + 1,
    vlan_vid: 0,
    eth_src: parseMac(macOf(from)),
    eth_dst: parseMac(macOf(to)),
    nw_ttl: 64,
    ip_frag: 0,
    ...ends,
    ...upper,
  };
}

function verdictOf(trace: Trace): 'allow' | 'drop' | 'reject' {
  if (trace.punts.some((punt) => decodePunt(punt.userdata!)?.kind === 'reject')) return 'reject';
  return trace.outputs.length > 0 ? 'allow' : 'drop';
}

describe('compiled security groups', () => {
  it('judge every packet as the specification does, by the rule it names', () => {
    fc.assert(
      fc.property(arbitraryPolicy(places), (policy) => {
        const compiler = createCompiler();
        compiler.update(slice(policy), []);
        expect(checkTables(compiler.tables, { dropTables: [TABLES.DROP.id], userTables: USER_TABLES, nominal: NOMINAL })).toEqual([]);
        const interpreter = new Interpreter(compiler.tables);
        const model = modelOf(policy);
        const wrong: unknown[] = [];
        for (const probe of allProbes(places)) {
          const trace = interpreter.trace(packetOf(probe), { conntrack: new ConnectionTable() });
          const [expected, seen] = [judgeBoth(model, probe), verdictOf(trace)];
          if (expected !== seen) wrong.push({ probe, expected, seen });
          for (const [direction, table, address] of [
            ['egress', TABLES.EG_POLICY.id, probe.src],
            ['ingress', TABLES.IN_POLICY.id, probe.dst],
          ] as const) {
            const owner = model.ownerOf(address)!;
            const hit = trace.steps.find((step) => step.kind === 'table' && step.table === table);
            if (hit?.kind !== 'table' || hit.hit === undefined) continue;
            const named = compiler.provenance(hit.hit.flow.cookie)!.uuids.filter((uuid) => uuid.startsWith('sgr-'));
            const { rules } = judge(model, owner, direction, probe);
            if (rules.length === 0 ? named.length > 0 : !named.some((uuid) => rules.includes(uuid)))
              wrong.push({ probe, direction, rules, named });
          }
        }
        expect(wrong).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
