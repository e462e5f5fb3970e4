/**
 * Random VMs, in a world where much tells some of them from others, on a vnmgr in memory.
 *
 * Owns: two networks behind a router, one apart; rules, routes and sets that name some addresses; three hypervisors of which one has no tunnel to the others.
 */
import fc from 'fast-check';
import type { Operation } from '../../../controller/contract.js';
import { create, vif, World, type Vna } from '../world.js';
import { rule } from './trace-world.js';

export const NETWORKS = ['a', 'b', 'c'] as const;
export const GROUPS = ['sg-cidr', 'sg-set', 'sg-peer', 'sg-out'] as const;

export interface Vm {
  readonly network: (typeof NETWORKS)[number];
  readonly place: 'one' | 'two' | 'three' | null;
  readonly groups: readonly string[];
  readonly families: 'both' | 'four' | 'six';
  readonly extra: 'none' | 'filter' | 'filtering' | 'second';
}

const arbitraryVm: fc.Arbitrary<Vm> = fc.record({
  network: fc.constantFrom(...NETWORKS),
  place: fc.constantFrom('one', 'one', 'one', 'two', 'two', 'three', null),
  groups: fc.oneof(
    fc.constant([]),
    fc.uniqueArray(fc.constantFrom(...GROUPS), { maxLength: 2 }).map((list) => list.sort()),
  ),
  families: fc.constantFrom('both', 'both', 'both', 'four', 'six'),
  extra: fc.constantFrom('none', 'none', 'none', 'none', 'none', 'filter', 'filtering', 'second'),
});

/** Few kinds that differ in one thing each, so that many are alike and the rest nearly. */
export const arbitraryVms: fc.Arbitrary<Vm[]> = fc
  .tuple(arbitraryVm, fc.array(arbitraryVm, { minLength: 4, maxLength: 4 }), fc.array(fc.nat(4), { minLength: 8, maxLength: 16 }))
  .map(([base, others, picks]) => {
    const fields = ['place', 'groups', 'families', 'extra'] as const;
    const kinds = [base, ...fields.map((field, at): Vm => ({ ...base, [field]: others[at]![field] }))];
    return picks.map((pick, at): Vm => ({ ...kinds[pick]!, network: at % 3 === 0 ? others[0]!.network : base.network }));
  });

/** Two networks behind a router, one apart; rules, routes and sets that tell some addresses from others; three hypervisors of which one has no tunnel to the others. */
export async function startReachWorld(vms: readonly Vm[], isSpread: boolean): Promise<World> {
  const world = await World.start();
  const networks = NETWORKS.map((name, at) =>
    create('network', {
      uuid: `nw-${name}`,
      ipv4_network: `10.${at + 1}.0.0`,
      ipv4_prefix: 24,
      ipv6_network: `fd00:${at + 1}::`,
      ipv6_prefix: 64,
    }),
  );
  const via = isSpread ? ['10.2.0.8', '10.2.0.9'] : ['10.2.0.8'];
  await world.vnmgr.execute([
    ...networks,
    create('router', {
      uuid: 'rt-ab',
      networks: [
        { network_uuid: 'nw-a', ip_addresses: ['10.1.0.1', 'fd00:1::1'] },
        { network_uuid: 'nw-b', ip_addresses: ['10.2.0.1', 'fd00:2::1'] },
      ],
      routes: [
        { destination: '10.1.0.16/30', type: 'blackhole' },
        { destination: '10.2.0.20/31', type: 'prohibit' },
        { destination: '10.1.0.12/32', via },
      ],
      policy_routes: [{ priority: 10, source: '10.1.0.10/31', protocol: 'udp', type: 'unreachable' }],
    }),
    create('address_set', { uuid: 'as-some', addresses: ['10.1.0.10/32', '10.1.0.14/31', '10.2.0.16/29', 'fd00:1::18/125'] }),
    create('security_group', { uuid: 'sg-cidr', rules: [rule('ssh', { ports: ['22'], remote: { cidr: '10.1.0.8/29' } })] }),
    create('security_group', {
      uuid: 'sg-set',
      rules: [
        rule('web', { ports: ['80'], remote: { address_set_uuid: 'as-some' } }),
        rule('never', { ports: ['22'], action: 'reject', priority: 900, remote: { cidr: '10.2.0.0/28' } }),
      ],
    }),
    create('security_group', {
      uuid: 'sg-peer',
      rules: [rule('dns', { protocol: 'udp', ports: ['53'], remote: { security_group_uuid: 'sg-set' } })],
    }),
    create('security_group', {
      uuid: 'sg-out',
      rules: [rule('http', { direction: 'egress', ports: ['80'], remote: { cidr: '10.2.0.0/27' } }), rule('ping', { protocol: 'icmp' })],
    }),
    ...[8, 9].map((host) =>
      create('interface', { uuid: `if-hop${host}`, mode: 'vif', network_uuid: 'nw-b', ipv4_address: `10.2.0.${host}` }),
    ),
    ...vms.flatMap(operationsOf),
  ]);
  const vnas: Vna[] = [];
  for (const [at, name] of (['one', 'two', 'three'] as const).entries()) {
    const plugged = vms.flatMap(({ place }, index) => (place === name ? [vif(`tap${index}`, `if-${index}`)] : []));
    const hops = name === 'one' ? [vif('hop8', 'if-hop8')] : [];
    const vna = await world.attach(name, [...plugged, ...hops], {
      endpoints: [{ address: `192.0.2.${at + 1}`, mac: null, underlay: 'underlay', mtu: 1500 }],
      encaps: [name === 'three' ? 'gre' : 'geneve'],
      underlay: null,
    });
    vnas.push(vna);
  }
  for (const vna of vnas) vna.confirm();
  return world;
}

function operationsOf({ network, groups, families, extra }: Vm, index: number): Operation[] {
  const uuid = `if-${index}`;
  const n = NETWORKS.indexOf(network) + 1;
  const four = families === 'six' ? {} : { ipv4_address: `10.${n}.0.${index + 10}` };
  const six = families === 'four' ? {} : { ipv6_address: `fd00:${n}::${(index + 16).toString(16)}` };
  const params = { uuid, mode: 'vif', network_uuid: `nw-${network}`, ...four, ...six, security_group_uuids: [...groups] };
  const made = create('interface', { ...params, enable_filtering: extra === 'filter' || extra === 'filtering' });
  if (extra === 'second')
    return [made, create('ip_lease', { interface_uuid: uuid, network_uuid: `nw-${network}`, ipv4_address: `10.${n}.0.${index + 100}` })];
  if (extra !== 'filter') return [made];
  const statics = [{ protocol: 'tcp', action: 'pass', src_address: '10.1.0.0/28', dst_port: 22 }];
  return [made, create('filter', { uuid: `fil-${index}`, interface_uuid: uuid, mode: 'static', egress_passthrough: true, statics })];
}
