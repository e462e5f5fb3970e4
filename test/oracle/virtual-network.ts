/**
 * A small virtual network with something of everything, as records for the compiler.
 *
 * Owns: nw-a and nw-b joined by one router, nw-c behind a second one; VMs on ports 1 to 4 and in a plain segment on 5 and 6; groups that admit by
 * group, by prefix and by port range, in both directions; DHCP. Both address families everywhere.
 */
import type { CompileRecord } from '../../flows/compile/contract.js';
import {
  dhcp,
  groupRule,
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
} from '../flows/compile/slice-builder.js';

const NETWORKS = { a: 1, b: 2, c: 3, t: 4 } as const;
type NetworkName = keyof typeof NETWORKS;

export function virtualNetwork(): CompileRecord[] {
  const records: CompileRecord[] = [routeLink('near', 5), routeLink('far', 6), segment('plain', 50)];
  for (const [name, n] of Object.entries(NETWORKS)) {
    records.push(network(name, n, { vrf_key: 77, ipv6_network: `fd00:${n}::`, ipv6_prefix: 64 }));
  }
  const leases = (of: string, on: NetworkName, host: number) =>
    records.push(ipLease(of, on, `10.0.${NETWORKS[on]}.${host}`), ipLease(of, on, `fd00:${NETWORKS[on]}::${host}`));

  const router = (of: string, on: NetworkName, host: number) => {
    const key = 100 + NETWORKS[on] * 10 + host;
    records.push(iface(of, key, { mode: 'simulated', enable_routing: true }), macLease(of, `02:00:00:00:0${NETWORKS[on]}:0${host}`));
    leases(of, on, host);
  };
  router('gwa', 'a', 1);
  router('gwb', 'b', 1);
  router('gwt', 't', 1);
  router('gxt', 't', 2);
  router('gxc', 'c', 1);
  records.push(dhcp('a', 'gwa'), dhcp('b', 'gwb'));

  let key = 0;
  const routed = (link: string, via: string, on: NetworkName, to: NetworkName) => {
    key += 1;
    const place = { interface_uuid: `if-${via}`, network_uuid: `nw-${on}`, route_link_uuid: `rl-${link}` };
    records.push(
      route(`${key}-4`, key * 2, { ...place, ipv4_network: `10.0.${NETWORKS[to]}.0`, ipv4_prefix: 24 }),
      route(`${key}-6`, key * 2 + 1, { ...place, ipv6_network: `fd00:${NETWORKS[to]}::`, ipv6_prefix: 64 }),
    );
  };
  routed('near', 'gwa', 'a', 'a');
  routed('near', 'gwb', 'b', 'b');
  routed('near', 'gwt', 't', 'c');
  routed('far', 'gxt', 't', 'a');
  routed('far', 'gxc', 'c', 'c');

  const vm = (port: number, on: NetworkName, policy: number) => {
    const name = `v${port}`;
    records.push(iface(name, port, { policy_class_key: policy }), macLease(name, `0a:00:00:00:00:0${port}`), localPort(name, port));
    leases(name, on, 10 + port);
  };
  vm(1, 'a', 0);
  vm(2, 'a', 1);
  vm(3, 'b', 2);
  vm(4, 'c', 0);
  for (const port of [5, 6]) {
    const name = `s${port}`;
    records.push(iface(name, port), macLease(name, `0a:00:00:00:00:0${port}`, { segment_uuid: 'seg-plain' }), localPort(name, port));
  }

  records.push(
    policyClass(1, ['web']),
    policyClass(2, ['web', 'out']),
    securityGroup('web', [
      groupRule('ssh', 21, { protocol: 'tcp', ports: ['22', '8000-8100'] }),
      groupRule('self', 22, { protocol: 'udp', remote: { security_group_uuid: 'sg-web' } }),
      groupRule('ping', 23, { protocol: 'icmp', remote: { cidr: '10.0.1.0/24' } }),
      groupRule('ping6', 24, { protocol: 'icmpv6', remote: { any: true } }),
    ]),
    securityGroup('out', [
      groupRule('http', 31, { direction: 'egress', protocol: 'tcp', remote: { cidr: '10.0.1.0/24' } }),
      groupRule('members', 32, { direction: 'egress', remote: { security_group_uuid: 'sg-web' } }),
    ]),
  );
  return records;
}
