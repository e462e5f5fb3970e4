/**
 * VMs under a policy, on one hypervisor or on two.
 *
 * Owns: the slice, compilers and sites for random policies; the packet of a probe; what became of it.
 * Promises: VMs are n0, n1, … at the places given, all in one network; the first `first` of them are plugged into the first hypervisor.
 */
import { createCompiler } from '../../../flows/compile/compiler.js';
import type { Compiler } from '../../../flows/compile/contract.js';
import { parseIpv4, parseIpv6 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import { decodePunt } from '../../../flows/pipeline/punt.js';
import type { InputRecord } from '../../../flows/pipeline/rule.js';
import { ConnectionTable } from '../../../flows/trace/connection-table.js';
import { traceFabric, type FabricTrace, type Site } from '../../../flows/trace/fabric.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import {
  addressSet,
  binding,
  chassis,
  here,
  iface,
  ipLease,
  localPort,
  macLease,
  network,
  policyClass,
  tunnelPort,
} from '../compile/slice-builder.js';
import type { Place, Policy } from './arbitrary-policy.js';
import type { Probe } from './reference-evaluator.js';

const TUNNEL = 900;

export interface PolicyWorld {
  readonly compilers: ReadonlyMap<string, Compiler>;
  /** Follows a probe from the VM of that number; conntrack knows of nothing before. */
  trace(from: number, packet: FieldRecord): FabricTrace;
}

export const macOf = (n: number) => `0a:00:00:00:00:${10 + n}`;

export function makePolicyWorld(policy: Policy, places: readonly Place[], first: number): PolicyWorld {
  const siteOf = (n: number) => (n < first ? '1' : '2');
  const shared = [...policyRecords(policy, places), ...places.map((_, n) => binding(`vm${n}`, siteOf(n)))];
  const all = ['1', '2'].map((name) => chassis(name, [`192.0.2.${name}`]));
  const compilers = new Map<string, Compiler>();
  const interpreters = all.map((own, i): Omit<Site, 'conntrack'> => {
    const compiler = createCompiler();
    const local = places.flatMap((_, n) => (siteOf(n) === String(i + 1) ? [localPort(`vm${n}`, n + 1)] : []));
    compiler.update([...shared, ...all, here(own), tunnelPort('geneve', TUNNEL), ...local], []);
    compilers.set(own.datapath_uuid, compiler);
    return {
      datapath_uuid: own.datapath_uuid,
      interpreter: new Interpreter(compiler.tables),
      addresses: own.endpoints.map(({ address }) => address),
      tunnels: new Map([['geneve', TUNNEL]]),
    };
  });
  return {
    compilers,
    trace: (from, packet) =>
      traceFabric(
        interpreters.map((site) => ({ ...site, conntrack: new ConnectionTable() })),
        `dp-${siteOf(from)}`,
        packet,
        { length: 100 },
      ),
  };
}

/** Network, groups, sets, and the VMs with their classes. */
function policyRecords({ groups, addressSets, membership }: Policy, places: readonly Place[]): InputRecord[] {
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
    );
  }
  return records;
}

/** The first packet of what a probe begins, as it leaves its VM. */
export function packetOf({ src, dst, protocol, port, from, to }: Probe & { readonly from: number; readonly to: number }): FieldRecord {
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
  const frame = { in_port: from + 1, vlan_vid: 0, eth_src: parseMac(macOf(from)), eth_dst: parseMac(macOf(to)) };
  return { ...frame, nw_ttl: 64, ip_frag: 0, ...ends, ...upper };
}

export function verdictOf({ visits, delivered }: FabricTrace): 'allow' | 'drop' | 'reject' {
  const punts = visits.flatMap(({ trace }) => trace.punts);
  if (punts.some((punt) => decodePunt(punt.userdata!)?.kind === 'reject')) return 'reject';
  return delivered.length > 0 ? 'allow' : 'drop';
}
