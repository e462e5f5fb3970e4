/**
 * Who may send and be sent to, read off what the tables were compiled from.
 */
import type { CompileRecord } from '../../flows/compile/contract.js';
import { parseIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { parseMac } from '../../flows/net/mac.js';
import type { Endpoint, LocalEndpoint, PacketWorld } from './packets.js';

/** TCP and UDP ports that policies often name. */
const SERVICES = [22, 53, 80, 443, 8000, 8080, 33434] as const;

/** Interfaces with a local port send; the others, routers among them, are only sent to. */
export function worldOf(records: Iterable<CompileRecord>, services: readonly number[] = SERVICES): PacketWorld {
  const macs = new Map<string, number>();
  const ports = new Map<string, number>();
  const ipv4 = new Map<string, number[]>();
  const ipv6 = new Map<string, bigint[]>();
  const networks = new Map<string, Set<string>>();
  const routers = new Set<string>();
  for (const record of records) {
    if (record.kind === 'mac_lease') macs.set(record.interface_uuid, parseMac(record.mac_address));
    if (record.kind === 'local_port') ports.set(record.interface_uuid, record.ofport);
    if (record.kind === 'interface' && record.enable_routing) routers.add(record.uuid);
    if (record.kind !== 'ip_lease' || record.interface_uuid === null) continue;
    const of = record.interface_uuid;
    networks.set(of, (networks.get(of) ?? new Set()).add(record.network_uuid));
    if (record.ipv4_address !== null) ipv4.set(of, [...(ipv4.get(of) ?? []), parseIpv4(record.ipv4_address)]);
    if (record.ipv6_address !== null) ipv6.set(of, [...(ipv6.get(of) ?? []), parseIpv6(record.ipv6_address)]);
  }
  const gatewaysOf = (of: string): number[] =>
    [...routers]
      .filter((router) => [...(networks.get(router) ?? [])].some((on) => networks.get(of)?.has(on)))
      .flatMap((router) => macs.get(router) ?? []);
  const local: LocalEndpoint[] = [];
  const others: Endpoint[] = [];
  for (const [of, mac] of macs) {
    const endpoint = { mac, ipv4: ipv4.get(of) ?? [], ipv6: ipv6.get(of) ?? [] };
    const port = ports.get(of);
    if (port === undefined) others.push(endpoint);
    else local.push({ port, gateways: gatewaysOf(of), ...endpoint });
  }
  return { local, others, services };
}
