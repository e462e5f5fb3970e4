/**
 * Two hypervisors with VMs in three networks behind two routers, security groups and more, on a vnmgr in memory.
 *
 * Owns: nw-a and nw-b joined by rl-ab, nw-c behind rl-bc; VMs a1, a2, b1 on hypervisor dp-one, b2, c1 on dp-two.
 */
import type { Operation } from '../../../controller/contract.js';
import type { TraceAnswer } from '../../../flows/trace/explain/answer.js';
import { traceInput, type TraceQuestion } from '../../../flows/trace/explain/question.js';
import { create, vif, World, type Vna } from '../world.js';

export interface TraceWorld {
  readonly world: World;
  readonly one: Vna;
  readonly two: Vna;
  /** Asks once all vnas have confirmed what they were told. */
  readonly trace: (question: Partial<TraceQuestion>, more?: { revision?: number; operations?: Operation[] }) => Promise<TraceAnswer>;
}

export const question = (over: Partial<TraceQuestion>): TraceQuestion =>
  traceInput.parse({ source: 'if-a1', destination: 'if-b2', ...over });

const chassis = (n: number, encaps: ('geneve' | 'vxlan' | 'gre')[] = ['geneve']) => ({
  endpoints: [{ address: `192.0.2.${n}`, mac: null, underlay: 'underlay', mtu: 1500 }],
  encaps,
  underlay: null,
});

export const rule = (uuid: string, over: object) => ({
  uuid: `sgr-${uuid}`,
  direction: 'ingress',
  protocol: 'tcp',
  remote: { any: true },
  ...over,
});

/** Of sg-web. */
export const WEB_RULES = [
  rule('ssh', { ports: ['22'] }),
  rule('high', { ports: ['8000-8100'] }),
  rule('ping', { protocol: 'icmp', remote: { cidr: '10.1.0.0/16' } }),
  rule('ping6', { protocol: 'icmpv6' }),
  rule('peers', { protocol: 'udp', ports: ['53'], remote: { security_group_uuid: 'sg-web' } }),
  rule('never', { ports: ['23'], action: 'drop', priority: 900 }),
  rule('no', { ports: ['24'], action: 'reject', priority: 900 }),
];

export async function startTraceWorld(): Promise<TraceWorld> {
  const world = await World.start();
  const networks = [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const;
  const port = (name: string, network: string, host: number) => ({
    uuid: `if-${name}`,
    mode: 'simulated',
    enable_routing: true,
    network_uuid: `nw-${network}`,
    ipv4_address: `10.${'abc'.indexOf(network) + 1}.0.${host}`,
    ipv6_address: `fd00:${'abc'.indexOf(network) + 1}::${host}`,
  });
  const vm = (name: string, host: number, more: object = {}) => {
    const network = name[0]!;
    const n = 'abc'.indexOf(network) + 1;
    const addresses = { ipv4_address: `10.${n}.0.${host}`, ipv6_address: `fd00:${n}::${host}` };
    return create('interface', { uuid: `if-${name}`, mode: 'vif', network_uuid: `nw-${network}`, ...addresses, ...more });
  };
  const route = (uuid: string, over: object) => create('route', { uuid: `r-${uuid}`, ...over });
  await world.vnmgr.execute([
    ...networks.map(([name, n]) =>
      create('network', { uuid: `nw-${name}`, ipv4_network: `10.${n}.0.0`, ipv4_prefix: 24, ipv6_network: `fd00:${n}::`, ipv6_prefix: 64 }),
    ),
    create('route_link', { uuid: 'rl-ab' }),
    create('route_link', { uuid: 'rl-bc' }),
    create('interface', port('gwa', 'a', 1)),
    create('interface', port('gwb', 'b', 1)),
    create('interface', port('gxb', 'b', 2)),
    create('interface', port('gxc', 'c', 1)),
    route('a', { interface_uuid: 'if-gwa', network_uuid: 'nw-a', route_link_uuid: 'rl-ab', ipv4_network: '10.1.0.0', ipv4_prefix: 24 }),
    route('b', { interface_uuid: 'if-gwb', network_uuid: 'nw-b', route_link_uuid: 'rl-ab', ipv4_network: '10.2.0.0', ipv4_prefix: 24 }),
    route('abc', { interface_uuid: 'if-gwb', network_uuid: 'nw-b', route_link_uuid: 'rl-ab', ipv4_network: '10.3.0.0', ipv4_prefix: 24 }),
    route('bc', { interface_uuid: 'if-gxc', network_uuid: 'nw-c', route_link_uuid: 'rl-bc', ipv4_network: '10.3.0.0', ipv4_prefix: 24 }),
    route('cb', { interface_uuid: 'if-gxb', network_uuid: 'nw-b', route_link_uuid: 'rl-bc', ipv4_network: '10.2.0.0', ipv4_prefix: 24 }),
    route('cba', { interface_uuid: 'if-gxb', network_uuid: 'nw-b', route_link_uuid: 'rl-bc', ipv4_network: '10.1.0.0', ipv4_prefix: 24 }),
    route('a6', { interface_uuid: 'if-gwa', network_uuid: 'nw-a', route_link_uuid: 'rl-ab', ipv6_network: 'fd00:1::', ipv6_prefix: 64 }),
    route('b6', { interface_uuid: 'if-gwb', network_uuid: 'nw-b', route_link_uuid: 'rl-ab', ipv6_network: 'fd00:2::', ipv6_prefix: 64 }),
    route('hole', { type: 'blackhole', route_link_uuid: 'rl-ab', ipv4_network: '10.9.0.0', ipv4_prefix: 24 }),
    route('far', { type: 'unreachable', route_link_uuid: 'rl-ab', ipv4_network: '10.8.0.0', ipv4_prefix: 24 }),
    create('security_group', {
      uuid: 'sg-web',
      rules: WEB_RULES,
    }),
    create('security_group', { uuid: 'sg-out', rules: [rule('http', { direction: 'egress', ports: ['80', '443'] })] }),
    vm('a1', 11),
    vm('a2', 12, { security_group_uuids: ['sg-out'] }),
    vm('b1', 11),
    vm('b2', 12, { security_group_uuids: ['sg-web'] }),
    vm('b3', 13),
    vm('c1', 11),
  ]);
  const one = await world.attach('one', [vif('tap1', 'if-a1'), vif('tap2', 'if-a2'), vif('tap3', 'if-b1')], chassis(1));
  const two = await world.attach('two', [vif('tap1', 'if-b2'), vif('tap2', 'if-c1')], chassis(2));
  const trace: TraceWorld['trace'] = (over, more = {}) => {
    one.confirm();
    two.confirm();
    return world.vnmgr.trace({ question: question(over), ...more });
  };
  return { world, one, two, trace };
}
