/**
 * Two hypervisors with something for every verdict of a trace.
 *
 * Owns: nw-a, nw-b, nw-c joined by rt-1 and rt-2, VMs a1, a2, b1 on the first hypervisor, b2, c1 on the second, security groups and routes that refuse.
 * Promises: `check` runs the common check; `destroy` ends the lab.
 */
import { repositoryRoot, type Hotori, type Json } from '../lab/hotori.js';
import { Lab } from '../lab/lab.js';
import { tryRun } from '../lab/run.js';
import { UNDERLAY_BRIDGE } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import { eventually } from '../lab/eventually.js';
import path from 'node:path';
import { parseIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { parseMac } from '../../flows/net/mac.js';
import { checkFabric } from './fabric-check.js';
import { post } from './world.js';

export const NAMES = ['a1', 'a2', 'b1', 'b2', 'c1'] as const;
export type Name = (typeof NAMES)[number];
const HOSTS: Readonly<Record<Name, number>> = { a1: 11, a2: 12, b1: 11, b2: 12, c1: 11 };
const GROUPS: Partial<Record<Name, readonly string[]>> = { a2: ['sg-out'], b2: ['sg-web'] };
const isOnSecond = (name: Name) => name === 'b2' || name === 'c1';
const networkOf = (name: Name) => 'abc'.indexOf(name[0]!) + 1;

export const address = (name: Name) => `10.${networkOf(name)}.0.${HOSTS[name]}`;
export const address6 = (name: Name) => `fd00:${networkOf(name)}::${HOSTS[name]}`;

export class TraceWorld {
  readonly lab: Lab;
  readonly hotori: Hotori;
  readonly vms: Readonly<Record<Name, Vm>>;

  private constructor(lab: Lab, hotori: Hotori, vms: Readonly<Record<Name, Vm>>) {
    this.lab = lab;
    this.hotori = hotori;
    this.vms = vms;
  }

  static async start(): Promise<TraceWorld> {
    const lab = await Lab.create();
    try {
      const underlay = await lab.addUnderlay();
      for (const n of [1, 2]) await underlay.attach(await lab.addHypervisor(`hv${n}`), 1, 9 + n);
      const hotori = await lab.startHotori({
        ovs: lab.hypervisors[0]!.ovs,
        vna: underlay.attachments.map(({ hypervisor: { ovs, name }, ipv4 }) => ({
          ovsdb: ovs.ovsdbEndpoint,
          datapath_type: ovs.datapathType,
          node_id: name,
          bridge_mappings: { underlay: UNDERLAY_BRIDGE },
          overlay: { address: [ipv4] },
        })),
        args: ['--trace-audit-rate', '600'],
      });
      const vms = {} as Record<Name, Vm>;
      for (const name of NAMES) vms[name] = await lab.addVm(lab.hypervisors[isOnSecond(name) ? 1 : 0]!, { name, iface_id: `if-${name}` });
      await hotori.post('/batch?wait=installed', { operations: definitions(vms) });
      const world = new TraceWorld(lab, hotori, vms);
      await Promise.all(NAMES.map((name) => world.#configure(name)));
      await hotori.untilInstalled();
      return world;
    } catch (error) {
      await lab.destroy();
      throw error;
    }
  }

  async #configure(name: Name): Promise<void> {
    const n = networkOf(name);
    const vm = this.vms[name];
    await vm.configure(`${address(name)}/24`, `10.${n}.0.1`);
    await vm.configure(`${address6(name)}/64`, `fd00:${n}::1`);
    const ports = JSON.stringify([22, 23, 24, 443, 8050]);
    vm.spawn([
      process.execPath,
      '-e',
      `for (const port of ${ports}) require('net').createServer((s) => s.on('error', () => {}).end('${name}')).listen(port, '::')`,
    ]);
    const { ovs } = this.lab.hypervisors[isOnSecond(name) ? 1 : 0]!;
    await eventually(`the port of ${name} being open`, async () => {
      const revision = await ovs.vsctl('--if-exists', 'get', 'Interface', name, 'external_ids:hotori-installed-revision');
      return revision.trim() !== '';
    });
    await eventually(`${name} listening`, async () => (await vm.run(['ss', '-ltnH'])).includes(':8050 '));
  }

  trace(question: object): Promise<Json> {
    return this.hotori.post('/traces', question);
  }

  /** @returns exit code and output. */
  async vnctl(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
    const main = path.join(repositoryRoot(), 'dist/webapi/vnctl/main.js');
    const { code, stdout } = await tryRun([process.execPath, main, ...args], { env: { HOTORI_SERVER: new URL(this.hotori.url).host } });
    return { code: code ?? -1, out: stdout };
  }

  /** Everything installed is in force for every packet. */
  async revalidated(): Promise<void> {
    await this.hotori.untilInstalled();
    await Promise.all(this.lab.hypervisors.map(({ ovs }) => ovs.revalidated()));
  }

  async check(allowed: readonly RegExp[]): Promise<void> {
    const gateways = (name: Name) => [parseMac(`02:00:00:00:01:0${networkOf(name)}`)];
    const vms = NAMES.map((name) => ({
      hypervisor: isOnSecond(name) ? 2 : 1,
      vm: this.vms[name],
      mac: parseMac(this.vms[name].mac),
      ipv4: [parseIpv4(address(name))],
      ipv6: [parseIpv6(address6(name))],
      gateways: gateways(name),
    }));
    await checkFabric({ lab: this.lab, hotori: this.hotori, vms, allowed });
  }

  destroy(): Promise<void> {
    return this.lab.destroy();
  }
}

function definitions(vms: Readonly<Record<Name, Vm>>): ReturnType<typeof post>[] {
  const rule = (uuid: string, over: object) => ({
    uuid: `sgr-${uuid}`,
    direction: 'ingress',
    protocol: 'tcp',
    remote: { any: true },
    ...over,
  });
  const member = (n: number, host: number, letter: string) => ({
    network_uuid: `nw-${letter}`,
    ip_addresses: [`10.${n}.0.${host}`, `fd00:${n}::${host}`],
    mac_address: `02:00:00:00:0${host}:0${n}`,
  });
  const to = (n: number, via: string) => [
    { destination: `10.${n}.0.0/24`, via: `10.2.0.${via}` },
    { destination: `fd00:${n}::/64`, via: `fd00:2::${via}` },
  ];
  return [
    ...['a', 'b', 'c'].map((letter, i) =>
      post('networks', { uuid: `nw-${letter}`, ipv4_network: `10.${i + 1}.0.0`, ipv6_network: `fd00:${i + 1}::` }),
    ),
    post('routers', {
      uuid: 'rt-1',
      networks: [member(1, 1, 'a'), member(2, 1, 'b')],
      routes: [...to(3, '2'), { destination: '10.9.0.0/24', type: 'blackhole' }, { destination: '10.8.0.0/24', type: 'prohibit' }],
    }),
    post('routers', { uuid: 'rt-2', networks: [member(2, 2, 'b'), member(3, 1, 'c')], routes: to(1, '1') }),
    post('security_groups', {
      uuid: 'sg-web',
      rules: [
        rule('ssh', { ports: ['22'] }),
        rule('high', { ports: ['8000-8100'] }),
        rule('ping', { protocol: 'icmp' }),
        rule('ping6', { protocol: 'icmpv6' }),
        rule('traceroute', { protocol: 'udp', ports: ['33434-33600'] }),
        rule('never', { ports: ['23'], action: 'drop', priority: 900 }),
        rule('no', { ports: ['24'], action: 'reject', priority: 900 }),
      ],
    }),
    post('security_groups', { uuid: 'sg-out', rules: [rule('http', { direction: 'egress', ports: ['80', '443'] })] }),
    ...NAMES.map((name) =>
      post('interfaces', {
        uuid: `if-${name}`,
        mode: 'vif',
        network_uuid: `nw-${name[0]!}`,
        mac_address: vms[name].mac,
        ipv4_address: address(name),
        ipv6_address: address6(name),
        security_group_uuids: GROUPS[name] ?? [],
      }),
    ),
    post('interfaces', { uuid: 'if-ghost', mode: 'vif', network_uuid: 'nw-b', ipv4_address: '10.2.0.77' }),
  ];
}
