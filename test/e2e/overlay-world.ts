/**
 * Three hypervisors with six VMs: two hypervisors on one L2, the third behind a router.
 *
 * Owns: the lab, one Hotori that runs all three bridges, two networks with the very same addresses. Odd VMs are in nw-1, even ones in nw-2; two VMs on each
 * hypervisor, one of each network. A VM says its name to whoever connects to it.
 * Promises: `destroy` runs the common check on every hypervisor first: a restarted Hotori finds nothing to change, the interpreter agrees with the switches
 * on sampled packets, and no log has an unexpected warning.
 */
import path from 'node:path';
import { parseIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { eui64LinkLocal, parseMac } from '../../flows/net/mac.js';
import type { Tables } from '../../flows/compile/contract.js';
import { encapsulation, type Encapsulation } from '../../flows/model/entities/presence.js';
import { FixedAnswers } from '../../flows/trace/conntrack.js';
import { traceFabric, type Site } from '../../flows/trace/fabric.js';
import { Interpreter } from '../../flows/trace/interpreter.js';
import { tunnelPortName } from '../../datapath/ovsdb/tunnel-plan.js';
import { compareWithSwitch } from '../oracle/compare.js';
import type { Difference } from '../../flows/trace/switch/agreement.js';
import { OpenflowClient } from '../oracle/openflow-client.js';
import { PacketMaker, type Endpoint, type LocalEndpoint } from '../oracle/packets.js';
import { Random } from '../oracle/random.js';
import type { Daemon } from '../lab/daemon.js';
import { eventually } from '../lab/eventually.js';
import type { Hotori, Json } from '../lab/hotori.js';
import type { Lab } from '../lab/lab.js';
import { UNDERLAY_BRIDGE, type Attachment, type Underlay } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import { askName, sayName, startThree } from './three-hypervisors.js';
import { post } from './world.js';

const SAMPLED_PACKETS = 40;

/** Of the configuration. */
export interface VnaEntry {
  overlay: object;
}

/** Per hypervisor, what its entry of `vna:` says of the overlay. */
export type OverlaySettings = readonly [object, object, object];

export class OverlayWorld {
  readonly lab: Lab;
  readonly underlay: Underlay;
  readonly hotori: Hotori;
  /** What each vna is told; counts from the next start. */
  readonly vna: readonly VnaEntry[];
  /** vm1 to vm6. */
  readonly vms: Vm[] = [];

  private constructor(lab: Lab, underlay: Underlay, hotori: Hotori, vna: readonly VnaEntry[]) {
    this.lab = lab;
    this.underlay = underlay;
    this.hotori = hotori;
    this.vna = vna;
  }

  static start(settings: (places: readonly Attachment[]) => OverlaySettings, args: readonly string[] = []): Promise<OverlayWorld> {
    return startThree(async (lab, underlay) => {
      const vna = entries(underlay, settings);
      const hotori = await lab.startHotori({ ovs: lab.hypervisors[0]!.ovs, vna, args });
      const world = new OverlayWorld(lab, underlay, hotori, vna);
      await world.#define();
      return world;
    });
  }

  async #define(): Promise<void> {
    for (const n of [1, 2, 3, 4, 5, 6]) {
      const vm = await this.lab.addVm(this.lab.hypervisors[Math.ceil(n / 2) - 1]!, { name: `vm${n}`, iface_id: `if-vm${n}` });
      this.vms.push(vm);
    }
    const subnet = { ipv4_network: '10.101.0.0', ipv4_prefix: 24, ipv6_network: 'fd00:101::', ipv6_prefix: 64 };
    await this.hotori.post('/batch', {
      operations: [
        ...[1, 2].map((n) => post('networks', { uuid: `nw-${n}`, display_name: `vnet${n}`, ...subnet })),
        ...this.vms.map((vm, i) =>
          post('interfaces', {
            uuid: `if-${vm.name}`,
            mode: 'vif',
            network_uuid: `nw-${(i % 2) + 1}`,
            mac_address: vm.mac,
            ...addressesOf(i + 1),
          }),
        ),
      ],
    });
    await Promise.all(
      this.vms.map(async (vm, i) => {
        const { ipv4_address, ipv6_address } = addressesOf(i + 1);
        await vm.configure(`${ipv4_address}/24`);
        await vm.configure(`${ipv6_address}/64`);
        await sayName(vm, vm.name);
      }),
    );
    await this.untilReady();
  }

  /** Resolves when every VM is plugged, everything is installed and the underlay knows its neighbours. */
  async untilReady(): Promise<void> {
    for (const [i, vm] of this.vms.entries()) {
      const { ovs } = this.lab.hypervisors[Math.floor(i / 2)]!;
      await eventually(`the port of ${vm.name} being open`, async () => {
        const revision = await ovs.vsctl('--if-exists', 'get', 'Interface', vm.name, 'external_ids:hotori-installed-revision');
        return revision.trim() !== '';
      });
    }
    await this.hotori.untilInstalled();
  }

  vm(n: number): Vm {
    return this.vms[n - 1]!;
  }

  /** Who answers whom, by name: `vm1>10.101.0.11` → `vm3`; empty where nobody does. Every VM, every address of the networks, both families. */
  async whoAnswers(): Promise<Record<string, string>> {
    const answers: Record<string, string> = {};
    await Promise.all(
      this.vms.map(async (vm, i) => {
        for (const n of [1, 3, 5]) {
          if (n === i + 1 - (i % 2)) continue;
          for (const address of Object.values(addressesOf(n))) {
            answers[`${vm.name}>${address}`] = await askName(vm, address);
          }
        }
      }),
    );
    return Object.fromEntries(Object.entries(answers).sort());
  }

  /** What whoAnswers should say. */
  expectedAnswers(): Record<string, string> {
    const answers: Record<string, string> = {};
    for (const n of [1, 2, 3, 4, 5, 6])
      for (const other of [1, 2, 3, 4, 5, 6]) {
        if (other === n || other % 2 !== n % 2) continue;
        for (const address of Object.values(addressesOf(other))) answers[`vm${n}>${address}`] = `vm${other}`;
      }
    return Object.fromEntries(Object.entries(answers).sort());
  }

  /** Packets of a DROP reason on a hypervisor, from 1. */
  async dropped(hypervisor: number, code: number): Promise<number> {
    const dump = await this.lab.hypervisors[hypervisor - 1]!.ovs.ofctl(['dump-flows', 'br-int', `table=250,reg15=${code}/0xffff`]);
    return Number(/n_packets=(\d+)/.exec(dump)?.[1]);
  }

  async destroy(options: { readonly allowedWarnings?: readonly RegExp[] } = {}): Promise<void> {
    try {
      await this.commonCheck(options.allowedWarnings);
    } finally {
      await this.lab.destroy();
    }
  }

  async commonCheck(allowed: readonly RegExp[] = []): Promise<void> {
    await this.hotori.untilInstalled();
    const { hypervisors } = this.lab;
    const flows = () => Promise.all(hypervisors.map(({ ovs }) => ovs.flows()));
    const built = await flows();
    await this.hotori.kill9();
    await this.hotori.start();
    await this.hotori.untilInstalled();
    const { datapaths } = await this.hotori.get('/status');
    const mods = datapaths.map((datapath: Json) => datapath.flow_mods as number);
    expect({ mods, flows: await flows() }).toEqual({ mods: hypervisors.map(() => 0), flows: built });
    for (const n of [1, 2, 3]) expect(await this.compareSampled(n, SAMPLED_PACKETS, built.flat().length)).toEqual([]);
    const warnings = await Promise.all(hypervisors.map(({ ovs }) => ovs.unexpectedWarnings(allowed)));
    expect([...this.hotori.unexpectedWarnings(allowed), ...warnings.flat()]).toEqual([]);
  }

  /**
   * Sends random packets of a hypervisor's VMs through the interpreter and through the switch's own trace, there and wherever they come to through tunnels.
   * @returns where the two differ.
   */
  async compareSampled(hypervisor: number, count: number, seed: number): Promise<readonly Difference[]> {
    const { ovs } = this.lab.hypervisors[hypervisor - 1]!;
    const all = await Promise.all(this.lab.hypervisors.map((_, i) => this.#siteOf(i)));
    const local: LocalEndpoint[] = [];
    const others: Endpoint[] = [];
    for (const [i, vm] of this.vms.entries()) {
      const { ipv4_address, ipv6_address } = addressesOf(i + 1);
      const mac = parseMac(vm.mac);
      const endpoint = { mac, ipv4: [parseIpv4(ipv4_address)], ipv6: [parseIpv6(ipv6_address), eui64LinkLocal(mac)] };
      if (Math.floor(i / 2) !== hypervisor - 1) others.push(endpoint);
      else local.push({ port: Number(await ovs.vsctl('get', 'Interface', vm.name, 'ofport')), ...endpoint });
    }
    const maker = new PacketMaker({ local, others, services: [7, 22, 53, 80] }, new Random(seed));
    const packets = Array.from({ length: count }, () => maker.packet());
    const sites = all.map(({ site }) => site);
    const start = sites[hypervisor - 1]!.datapath_uuid;
    const visits = packets.flatMap((packet) => {
      const conntrack = new FixedAnswers(packet.ct);
      const there = sites.map((site) => (site.datapath_uuid === start ? { ...site, conntrack } : site));
      return traceFabric(there, start, packet.fields, { length: 100 }).visits.slice(1);
    });
    const differences: Difference[] = [];
    for (const [i, { tables, site }] of all.entries()) {
      const target = { unixctl: path.join(this.lab.hypervisors[i]!.ovs.dir, 'ovs-vswitchd.ctl'), bridge: 'br-int' };
      const arrived = visits.filter(({ datapath_uuid }) => datapath_uuid === site.datapath_uuid).map(({ packet: fields }) => ({ fields }));
      const here = i === hypervisor - 1 ? packets : arrived;
      differences.push(...(await compareWithSwitch({ tables, packets: here, target })).differences);
    }
    return differences;
  }

  async #siteOf(index: number): Promise<{ readonly tables: Tables; readonly site: Site }> {
    const { ovs, name } = this.lab.hypervisors[index]!;
    const client = await OpenflowClient.connect(ovs.openflowSocket('br-int'));
    const tables = await client.dump().finally(() => client.close());
    const tunnels = new Map<Encapsulation, number>();
    for (const encap of encapsulation.options) {
      const port = (await ovs.vsctl('--if-exists', 'get', 'Interface', tunnelPortName(encap, 'br-int'), 'ofport')).trim();
      if (port !== '') tunnels.set(encap, Number(port));
    }
    const { ipv4, ipv6 } = this.underlay.attachments[index]!;
    return { tables, site: { datapath_uuid: `dp-${name}`, interpreter: new Interpreter(tables), addresses: [ipv4, ipv6], tunnels } };
  }
}

/** Odd VMs and the even ones after them have the same addresses. */
export function addressesOf(n: number): { readonly ipv4_address: string; readonly ipv6_address: string } {
  const host = 9 + Math.ceil(n / 2);
  return { ipv4_address: `10.101.0.${host}`, ipv6_address: `fd00:101::${host}` };
}

function entries(underlay: Underlay, settings: (places: readonly Attachment[]) => OverlaySettings): VnaEntry[] {
  const overlays = settings(underlay.attachments);
  return underlay.attachments.map(({ hypervisor: { ovs, name } }, i) => ({
    ovsdb: ovs.ovsdbEndpoint,
    datapath_type: ovs.datapathType,
    node_id: name,
    bridge_mappings: { [(overlays[i] as { underlay?: string }).underlay ?? 'underlay']: UNDERLAY_BRIDGE },
    overlay: { probe_period: 0.3, ...overlays[i] },
  }));
}

/** Resolves when a tcpdump is under way. */
export async function listening(dump: Daemon): Promise<void> {
  await eventually('tcpdump listening', () => /listening on/.test(dump.output()));
}

/** Ends a tcpdump once what is on the way has come; what it printed of packets. Of some encapsulations the inner packet has a line of its own. */
export async function stopped(dump: Daemon): Promise<string[]> {
  await new Promise((resolve) => setTimeout(resolve, 400));
  await dump.stop('SIGINT');
  return dump
    .output()
    .split('\n')
    .filter((line) => /\bIP6?\b|ethertype/.test(line));
}
