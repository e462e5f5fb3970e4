/**
 * Three hypervisors, compiled, with tunnels between them.
 */
import { createCompiler } from '../../../flows/compile/compiler.js';
import type { Compiler } from '../../../flows/compile/contract.js';
import type { Chassis, Encapsulation } from '../../../flows/model/entities/presence.js';
import { parseIpv4, parseIpv6 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import type { InputRecord } from '../../../flows/pipeline/rule.js';
import { DROP_REASONS, type DropReason } from '../../../flows/pipeline/tables.js';
import { ConnectionTable } from '../../../flows/trace/connection-table.js';
import { traceFabric, type FabricTrace, type Site } from '../../../flows/trace/fabric.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import type { FieldRecord } from '../../../flows/trace/microflow.js';
import {
  binding,
  chassis,
  groupRule,
  here,
  iface,
  ipLease,
  localPort,
  macLease,
  network,
  policyClass,
  route,
  routeLink,
  securityGroup,
  segment,
  tunnelPort,
} from '../compile/slice-builder.js';

export const MAC: Record<string, string> = {
  a1: '0a:00:00:00:00:01',
  a2: '0a:00:00:00:00:02',
  a3: '0a:00:00:00:00:03',
  d3: '0a:00:00:00:00:04',
  s1: '0a:00:00:00:00:05',
  s2: '0a:00:00:00:00:06',
  s3: '0a:00:00:00:00:07',
  g1: '0a:00:00:00:00:08',
  g3: '0a:00:00:00:00:09',
};
export const WHERE: Record<string, string> = { a1: '1', a2: '2', a3: '3', d3: '3', s1: '1', s2: '2', s3: '3', g1: '1', g3: '3' };
export const TUNNELS: Record<Encapsulation, number> = { geneve: 901, vxlan: 902, gre: 903 };

/**
 * Networks nw-a 10.0.1.0/24, transit nw-b and nw-c, nw-d 10.0.4.0/24 in one domain behind three routers; a segment seg-s without addresses.
 * a1 a2 a3 in nw-a, d3 in nw-d, s1 s2 s3 in seg-s, g1 g3 in nw-a with a group that admits only its members; the digit is the hypervisor.
 */
export function shared(): InputRecord[] {
  const vrf = 77;
  const records: InputRecord[] = [segment('s', 50, { vrf_key: 88 })];
  for (const [i, name] of ['a', 'b', 'c', 'd'].entries())
    records.push(network(name, i + 1, { vrf_key: vrf, ipv6_network: `fd00:${i + 1}::`, ipv6_prefix: 64 }));
  for (const n of [1, 2, 3]) records.push(routeLink(`r${n}`, n));
  let key = 500;
  const gateway = (name: string, link: number, net: string, n: number, host: number, to: readonly number[]) => {
    records.push(
      iface(name, key++, { mode: 'simulated', enable_routing: true }),
      macLease(name, `02:00:00:00:0${n}:0${host}`),
      ipLease(name, net, `10.0.${n}.${host}`),
      ipLease(name, net, `fd00:${n}::${host}`),
    );
    for (const target of to) {
      const place = { interface_uuid: `if-${name}`, network_uuid: `nw-${net}`, route_link_uuid: `rl-r${link}` };
      records.push(
        route(`${name}${target}`, key++, { ...place, ipv4_network: `10.0.${target}.0`, ipv4_prefix: 24 }),
        route(`${name}${target}6`, key++, { ...place, ipv6_network: `fd00:${target}::`, ipv6_prefix: 64 }),
      );
    }
  };
  gateway('gw1a', 1, 'a', 1, 1, [1]);
  gateway('gw1b', 1, 'b', 2, 1, [2, 3, 4]);
  gateway('gw2b', 2, 'b', 2, 2, [1, 2]);
  gateway('gw2c', 2, 'c', 3, 1, [3, 4]);
  gateway('gw3c', 3, 'c', 3, 2, [1, 2, 3]);
  gateway('gw3d', 3, 'd', 4, 1, [4]);
  records.push(
    policyClass(5, ['g']),
    securityGroup('g', [groupRule('in', 1, { remote: { security_group_uuid: 'sg-g' } }), groupRule('out', 2, { direction: 'egress' })]),
  );
  const hosts: Record<string, [string, number, number]> = {
    a1: ['a', 1, 11],
    a2: ['a', 1, 12],
    a3: ['a', 1, 13],
    d3: ['d', 4, 13],
    g1: ['a', 1, 21],
    g3: ['a', 1, 23],
  };
  for (const [i, name] of Object.keys(MAC).entries()) {
    records.push(
      iface(name, i + 1, name.startsWith('g') ? { policy_class_key: 5, security_group_uuids: ['sg-g'] } : {}),
      macLease(name, MAC[name]!, name.startsWith('s') ? { segment_uuid: 'seg-s' } : {}),
      binding(name, WHERE[name]!),
    );
    const host = hosts[name];
    if (host !== undefined)
      records.push(ipLease(name, host[0], `10.0.${host[1]}.${host[2]}`), ipLease(name, host[0], `fd00:${host[1]}::${host[2]}`));
  }
  return records;
}

export function addressOf(n: string, family: 'ipv4' | 'ipv6' = 'ipv4'): string {
  return family === 'ipv4' ? `192.0.2.${n}` : `2001:db8::${n}`;
}

export interface Fabric {
  readonly compilers: Record<string, Compiler>;
  readonly sites: readonly Site[];
}

export function fabric(encaps: readonly Encapsulation[] = ['geneve'], family: 'ipv4' | 'ipv6' = 'ipv4'): Fabric {
  const all: Chassis[] = ['1', '2', '3'].map((n) => chassis(n, [addressOf(n, family)], { encaps: [...encaps] }));
  const compilers: Record<string, Compiler> = {};
  const sites = all.map((own, i): Site => {
    const compiler = createCompiler();
    const n = String(i + 1);
    const ports = Object.keys(MAC).filter((name) => WHERE[name] === n);
    const local = [
      ...ports.map((name) => localPort(name, Object.keys(MAC).indexOf(name) + 1)),
      here(own),
      ...encaps.map((e) => tunnelPort(e, TUNNELS[e])),
    ];
    compiler.update([...shared(), ...all, ...local], []);
    compilers[n] = compiler;
    return {
      datapath_uuid: own.datapath_uuid,
      interpreter: new Interpreter(compiler.tables),
      conntrack: new ConnectionTable(),
      addresses: [addressOf(n, family)],
      tunnels: new Map(encaps.map((e) => [e, TUNNELS[e]])),
    };
  });
  return { compilers, sites };
}

export const portOf = (name: string) => Object.keys(MAC).indexOf(name) + 1;
export const siteNameOf = (name: string) => `dp-${WHERE[name]!}`;

/** Ports that got the packet, and how often it crossed the underlay. */
export function outcome({ delivered, visits, lost }: FabricTrace) {
  return {
    to: delivered.map(({ output }) => Object.keys(MAC)[output.port - 1]).sort(),
    crossings: visits.length - 1,
    lost,
    dropped: visits.flatMap(({ trace }) =>
      trace.drops.flatMap(({ packet }) => {
        const code = packet.number('reg15') & 0xffff;
        return Object.entries(DROP_REASONS).flatMap(([name, reason]) => (reason.code === code ? [name as DropReason] : []));
      }),
    ),
  };
}

export const udp = (from: string, to: number, source: string, destination: string, over: FieldRecord = {}): FieldRecord => {
  const v6 = source.includes(':');
  return {
    in_port: portOf(from),
    eth_src: parseMac(MAC[from]!),
    eth_dst: to,
    nw_proto: 17,
    nw_ttl: 64,
    udp_src: 4000,
    udp_dst: 5000,
    ...(v6
      ? { eth_type: 0x86dd, ipv6_src: parseIpv6(source), ipv6_dst: parseIpv6(destination) }
      : { eth_type: 0x0800, ip_src: parseIpv4(source), ip_dst: parseIpv4(destination) }),
    ...over,
  };
};

export const send = ({ sites }: Fabric, from: string, packet: FieldRecord, length = 100) =>
  traceFabric(sites, siteNameOf(from), packet, { length });
