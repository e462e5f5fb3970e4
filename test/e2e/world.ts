/**
 * A small world for end-to-end tests: one hypervisor, Hotori, two networks with DHCP, a router, and VMs.
 *
 * Owns: what is defined over REST before a test begins. Everything goes through the API, as a user would.
 * Promises: `destroy` runs the common check first: a restarted Hotori finds nothing to change (its tables compiled from scratch equal what was
 * built up step by step and what the switch holds), the interpreter agrees with the switch on sampled packets, and no log has an unexpected warning.
 */
import path from 'node:path';
import { parseIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { eui64LinkLocal, parseMac } from '../../flows/net/mac.js';
import { compareWithSwitch, type Comparison } from '../oracle/compare.js';
import { OpenflowClient } from '../oracle/openflow-client.js';
import { PacketMaker, type LocalEndpoint } from '../oracle/packets.js';
import { Random } from '../oracle/random.js';
import { eventually } from '../lab/eventually.js';
import type { Hotori, HotoriOptions } from '../lab/hotori.js';
import type { Hypervisor } from '../lab/hypervisor.js';
import { Lab } from '../lab/lab.js';
import type { Vm } from '../lab/vm.js';

/** How many packets the common check tries. */
const SAMPLED_PACKETS = 60;

/** Who is in the sampled packets. */
export type Cast = ConstructorParameters<typeof PacketMaker>[0];

export interface VmPlan {
  readonly name: string;
  readonly network: 'a' | 'b';
  readonly host: number;
  readonly groups?: readonly string[];
}

export class World {
  readonly lab: Lab;
  readonly hypervisor: Hypervisor;
  readonly hotori: Hotori;
  readonly #plans: (VmPlan & { readonly mac: string })[] = [];

  private constructor(lab: Lab, hypervisor: Hypervisor, hotori: Hotori) {
    this.lab = lab;
    this.hypervisor = hypervisor;
    this.hotori = hotori;
  }

  /** Starts switch and controller; defines nothing. */
  static async start(options: Omit<HotoriOptions, 'dir' | 'ovs'> = {}): Promise<World> {
    const lab = await Lab.create();
    try {
      const hypervisor = await lab.addHypervisor();
      const hotori = await lab.startHotori({ ovs: hypervisor.ovs, ...options });
      await hotori.untilInstalled();
      return new World(lab, hypervisor, hotori);
    } catch (error) {
      await lab.destroy();
      throw error;
    }
  }

  /** nw-a 10.1.0.0/24 fd00:1::/64 and nw-b 10.2.0.0/24 fd00:2::/64, DHCP on both, rl-ab between them. */
  async defineNetworks(): Promise<void> {
    const operations: { method: string; path: string; body: object }[] = [post('route_links', { uuid: 'rl-ab' })];
    for (const [name, n] of [
      ['a', 1],
      ['b', 2],
    ] as const) {
      const subnet = { ipv4_network: `10.${n}.0.0`, ipv4_prefix: 24, ipv6_network: `fd00:${n}::`, ipv6_prefix: 64 };
      const gateway = { uuid: `if-gw${name}`, mode: 'simulated', enable_routing: true, mac_address: `02:00:00:00:0${n}:01` };
      operations.push(
        post('networks', { uuid: `nw-${name}`, display_name: name, dns_servers: [`10.${n}.0.1`], ...subnet }),
        post('interfaces', { ...gateway, network_uuid: `nw-${name}`, ipv4_address: `10.${n}.0.1`, ipv6_address: `fd00:${n}::1` }),
        post('network_services', { uuid: `ns-${name}`, mode: 'dhcp', interface_uuid: `if-gw${name}` }),
      );
      for (const [family, over] of [
        ['4', { ipv4_network: subnet.ipv4_network, ipv4_prefix: 24 }],
        ['6', { ipv6_network: subnet.ipv6_network, ipv6_prefix: 64 }],
      ] as const) {
        const place = { interface_uuid: `if-gw${name}`, network_uuid: `nw-${name}`, route_link_uuid: 'rl-ab' };
        operations.push(post('routes', { uuid: `r-${name}${family}`, ...place, ...over }));
      }
    }
    await this.hotori.post('/batch?wait=installed', { operations });
  }

  /** Defines interfaces, plugs VMs with those iface-ids, and gives each its addresses; 10.N.0.HOST and fd00:N::HOST. */
  async addVms(...plans: readonly VmPlan[]): Promise<Vm[]> {
    const vms: Vm[] = [];
    for (const plan of plans) vms.push(await this.lab.addVm(this.hypervisor, { name: plan.name, iface_id: `if-${plan.name}` }));
    await this.hotori.post('/batch', { operations: plans.map((plan, i) => post('interfaces', interfaceOf(plan, vms[i]!.mac))) });
    await Promise.all(plans.map((plan, i) => configure(vms[i]!, plan)));
    this.#plans.push(...plans.map((plan, i) => ({ ...plan, mac: vms[i]!.mac })));
    await this.untilPlugged(...plans.map((plan) => plan.name));
    return vms;
  }

  /** Resolves when each VM's port is open in the bridge. */
  async untilPlugged(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      await eventually(`the port of ${name} being open`, async () => {
        const revision = await this.hypervisor.ovs.vsctl('--if-exists', 'get', 'Interface', name, 'external_ids:hotori-installed-revision');
        return revision.trim() !== '';
      });
    }
  }

  /** Resolves when the switch has looked at all its cached flows again: what was installed before is in force for every packet. */
  async revalidated(): Promise<void> {
    await this.hypervisor.ovs.revalidated();
  }

  /**
   * Makes the switch forget its cached flows. Where two of them overlap, the userspace datapath of Open vSwitch 3.1.0 changes the wrong one and leaves the
   * other as it was (docs/security-groups.md).
   */
  async forgetCachedFlows(): Promise<void> {
    await this.revalidated();
    await this.hypervisor.ovs.appctl('revalidator/purge');
  }

  async destroy(
    options: { readonly allowedWarnings?: readonly RegExp[]; readonly commonCheck?: boolean; readonly cast?: Cast } = {},
  ): Promise<void> {
    try {
      if (options.commonCheck !== false) await this.commonCheck(options.allowedWarnings, options.cast);
    } finally {
      await this.lab.destroy();
    }
  }

  /** @param cast who sends and is sent to in the sampled packets: the VMs of addVms and the routers between them, unless told. */
  async commonCheck(allowed: readonly RegExp[] = [], cast?: Cast): Promise<void> {
    await this.hotori.untilInstalled();
    const built = await this.hypervisor.ovs.flows();
    await this.hotori.kill9();
    await this.hotori.start();
    await this.hotori.untilInstalled();
    const mods = await this.flowMods();
    expect({ flow_mods: mods, flows: await this.hypervisor.ovs.flows() }).toEqual({ flow_mods: 0, flows: built });
    expect((await this.compareSampled(SAMPLED_PACKETS, built.length, cast)).differences).toEqual([]);
    expect([...this.hotori.unexpectedWarnings(allowed), ...(await this.hypervisor.ovs.unexpectedWarnings(allowed))]).toEqual([]);
  }

  /** Sends random packets of the VMs through the interpreter, over the flows read back from the switch, and through the switch's own trace. */
  async compareSampled(count: number, seed: number, cast?: Cast): Promise<Comparison> {
    const { ovs } = this.hypervisor;
    const client = await OpenflowClient.connect(ovs.openflowSocket(this.hotori.bridge));
    const tables = await client.dump().finally(() => client.close());
    const maker = new PacketMaker(cast ?? (await this.#cast()), new Random(seed));
    const packets = Array.from({ length: count }, () => maker.packet());
    return compareWithSwitch({ tables, packets, target: { unixctl: path.join(ovs.dir, 'ovs-vswitchd.ctl'), bridge: this.hotori.bridge } });
  }

  async #cast(): Promise<Cast> {
    const local = await Promise.all(this.#plans.map((plan) => this.#endpoint(plan)));
    const routers = [1, 2].map((n) => ({
      mac: parseMac(`02:00:00:00:0${n}:01`),
      ipv4: [parseIpv4(`10.${n}.0.1`)],
      ipv6: [parseIpv6(`fd00:${n}::1`)],
    }));
    const stranger = { mac: 0x02de_ad00_0001, ipv4: [parseIpv4('10.1.0.99'), parseIpv4('192.0.2.1')], ipv6: [parseIpv6('2001:db8::1')] };
    return { local, others: [...routers, stranger], services: [22, 53, 67, 80, 81, 33434] };
  }

  async #endpoint(plan: VmPlan & { readonly mac: string }): Promise<LocalEndpoint> {
    const { ipv4, ipv6 } = address(plan);
    const mac = parseMac(plan.mac);
    const port = Number(await this.hypervisor.ovs.vsctl('get', 'Interface', plan.name, 'ofport'));
    return { mac, port, ipv4: [parseIpv4(ipv4)], ipv6: [parseIpv6(ipv6), eui64LinkLocal(mac)] };
  }

  /** Flow-mods sent to the switch since Hotori started, as it counts them itself. */
  async flowMods(): Promise<number> {
    const { datapaths } = await this.hotori.get('/status');
    return datapaths.reduce((sum: number, datapath: { flow_mods: number }) => sum + datapath.flow_mods, 0);
  }
}

export function put(path: string, body: object): { method: string; path: string; body: object } {
  return { method: 'PUT', path: `/${path}`, body };
}

export function post(collection: string, body: object): { method: string; path: string; body: object } {
  return { method: 'POST', path: `/${collection}`, body };
}

export function address(plan: VmPlan): { ipv4: string; ipv6: string } {
  const n = plan.network === 'a' ? 1 : 2;
  return { ipv4: `10.${n}.0.${plan.host}`, ipv6: `fd00:${n}::${plan.host}` };
}

function interfaceOf(plan: VmPlan, mac: string): object {
  const { ipv4, ipv6 } = address(plan);
  return {
    uuid: `if-${plan.name}`,
    mode: 'vif',
    network_uuid: `nw-${plan.network}`,
    mac_address: mac,
    ipv4_address: ipv4,
    ipv6_address: ipv6,
    security_group_uuids: plan.groups ?? [],
  };
}

async function configure(vm: Vm, plan: VmPlan): Promise<void> {
  const { ipv4, ipv6 } = address(plan);
  const n = plan.network === 'a' ? 1 : 2;
  await vm.configure(`${ipv4}/24`, `10.${n}.0.1`);
  await vm.configure(`${ipv6}/64`, `fd00:${n}::1`);
}
