/**
 * Eight virtual routers in a row on one hypervisor.
 *
 *     start, other ── nw-c0 ── rt-1 ── nw-c1 ── rt-2 ── … ── rt-8 ── nw-c8 ── end
 *
 * Owns: what is defined. The first router has policies and a route by two next hops, the fourth a policy, the last the routes that refuse; nothing comes in to
 * `start` but answers.
 */
import { post } from './world.js';

export const ROUTERS = 8;
export const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
/** Router i is .1 in network i-1 and .2 in network i; the networks are in a row. */
export const near = (i: number, v6 = false) => (v6 ? `fd50:${i + 9}::1` : `10.50.${i - 1}.1`);
export const back = (i: number, v6 = false) => (v6 ? `fd50:${i + 10}::2` : `10.50.${i}.2`);
export const END = '10.50.8.10';
/** UDP ports that policies of the first router send to `other`, and drop. */
export const [DIVERTED, SWALLOWED] = [7776, 7777];
export const END6 = 'fd50:18::10';

export function definitions(): { method: string; path: string; body: object }[] {
  const any = { direction: 'ingress', protocol: 'any', remote: { any: true } };
  return [
    ...numbers(0, ROUTERS).map((i) =>
      post('networks', { uuid: `nw-c${i}`, ipv4_network: `10.50.${i}.0`, ipv6_network: `fd50:${i + 10}::` }),
    ),
    ...numbers(1, ROUTERS).map((i) =>
      post('routers', {
        uuid: `rt-${i}`,
        networks: [
          { network_uuid: `nw-c${i - 1}`, ip_addresses: [near(i), near(i, true)], mac_address: `02:00:00:00:51:0${i}` },
          { network_uuid: `nw-c${i}`, ip_addresses: [back(i), back(i, true)], mac_address: `02:00:00:00:52:0${i}` },
        ],
        routes: [
          ...(i < ROUTERS
            ? [
                { destination: '0.0.0.0/0', via: near(i + 1) },
                { destination: '::/0', via: near(i + 1, true) },
              ]
            : [
                { destination: '203.0.113.0/24', type: 'prohibit' },
                { destination: '192.0.2.0/24', type: 'blackhole' },
              ]),
          ...(i === 1 ? [{ destination: '198.51.101.0/24', via: [near(2), '10.50.0.11'].sort() }] : []),
          ...(i > 1
            ? [
                { destination: '10.50.0.0/24', via: back(i - 1) },
                { destination: 'fd50:10::/64', via: back(i - 1, true) },
              ]
            : []),
        ],
        ...(i === 1
          ? {
              policy_routes: [
                { priority: 5, source: '10.50.0.10/32', protocol: 'udp', ports: [String(DIVERTED)], via: '10.50.0.11' },
                { priority: 6, source: '10.50.0.10/32', protocol: 'udp', ports: [String(SWALLOWED)], type: 'blackhole' },
              ],
            }
          : {}),
        ...(i === 4
          ? { policy_routes: [{ priority: 1, source: '10.50.0.0/24', protocol: 'tcp', ports: ['7000-7999'], type: 'prohibit' }] }
          : {}),
      }),
    ),
    post('network_services', { uuid: 'ns-c0', mode: 'dhcp', interface_uuid: 'if-1-c0' }),
    // Nothing comes in but answers.
    post('security_groups', { uuid: 'sg-shut', rules: [{ direction: 'egress', protocol: 'any', remote: { any: true } }] }),
    post('security_groups', { uuid: 'sg-open', rules: [any] }),
    ...vm('start', 'c0', 0, 10, ['sg-shut']),
    ...vm('other', 'c0', 0, 11, []),
    ...vm('end', 'c8', 8, 10, ['sg-open']),
  ];
}

function vm(name: string, net: string, n: number, host: number, groups: readonly string[]) {
  const address = { network_uuid: `nw-${net}`, ipv4_address: `10.50.${n}.${host}`, ipv6_address: `fd50:${n + 10}::${host}` };
  return [post('interfaces', { uuid: `if-${name}`, mode: 'vif', ...address, security_group_uuids: groups })];
}
