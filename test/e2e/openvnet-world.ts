/**
 * OpenVNet's integration environment: three hypervisors, two on one L2 and the third behind a router, two VMs on each, attached by port name.
 *
 * Owns: the lab, the six VMs, the Hotori of the moment. Nothing is registered by itself and nothing crosses unless it is said (`auto_register: false`,
 * `overlay.mode: explicit`), nor does any agent say where tunnels end; everything is said in the forms of OpenVNet's vnctl.
 * Agents that come after the data do without tunnels where hypervisors share an L2 (MAC2MAC), those that run before it use tunnels everywhere.
 * Promises: a scenario begins with an empty model and VMs that know nothing; the switches keep what the scenario before left in them.
 */
import path from 'node:path';
import { parseIpv4 } from '../../flows/net/ip.js';
import { parseMac } from '../../flows/net/mac.js';
import { Fleet, type FleetRedis } from '../lab/fleet.js';
import { Hotori } from '../lab/hotori.js';
import type { Lab } from '../lab/lab.js';
import type { Ovs } from '../lab/ovs.js';
import { UNDERLAY_BRIDGE, type Underlay } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import { checkFabric, type FabricVm } from './fabric-check.js';
import { base, dpidOf, hostOf, vmMac, type VnctlRequest } from './openvnet-requests.js';
import { stopped } from './overlay-world.js';
import { askName, sayName, startThree } from './three-hypervisors.js';

export const VMS = [1, 2, 3, 4, 5, 6] as const;

/** What a VM got when it asked every address of the plan: names by address. */
export type Answers = Readonly<Record<string, string>>;

/** Whether the hypervisors' agents run before the model is said, or come when it is. */
export type Order = 'before' | 'after';

export class OpenvnetWorld {
  readonly lab: Lab;
  readonly underlay: Underlay;
  readonly vms: Vm[] = [];
  /** Addresses that VMs have now. */
  readonly addresses = new Map<number, string>();
  readonly #idle: Ovs;
  #hotori: Hotori | undefined;
  #scenarios = 0;
  #format: 'yml' | 'json' = 'yml';

  private constructor(lab: Lab, underlay: Underlay, idle: Ovs) {
    this.lab = lab;
    this.underlay = underlay;
    this.#idle = idle;
  }

  static start(): Promise<OpenvnetWorld> {
    return startThree(async (lab, underlay) => {
      const world = new OpenvnetWorld(lab, underlay, await lab.addDummySwitch());
      await world.#addVms();
      return world;
    });
  }

  async #addVms(): Promise<void> {
    for (const n of VMS) {
      const { ovs } = this.lab.hypervisors[Math.ceil(n / 2) - 1]!;
      if (n % 2 === 1) await ovs.addBridge();
      this.vms.push(await this.lab.addVm(this.lab.hypervisors[Math.ceil(n / 2) - 1]!, { name: `if-v${n}`, mac: vmMac(n), mtu: 1442 }));
    }
    await Promise.all(VMS.map((n) => sayName(this.vm(n), `vm${n}`)));
  }

  get hotori(): Hotori {
    if (this.#hotori === undefined) throw new Error('no scenario has begun');
    return this.#hotori;
  }

  get fleet(): Fleet {
    if (!(this.#hotori instanceof Fleet)) throw new Error('it is one process');
    return this.#hotori;
  }

  vm(n: number): Vm {
    return this.vms[n - 1]!;
  }

  /** Begins with these requests, every VM leased and everyone reaching everyone. */
  async beginConnected(requests: readonly VnctlRequest[], redis?: FleetRedis): Promise<void> {
    await this.begin('before', requests, redis);
    await this.lease(...VMS);
    expect(await this.settledAnswers(allAnswers(this))).toEqual(allAnswers(this));
  }

  /** Ends what was and says a new model. @param redis then every role is a process of its own. */
  async begin(order: Order, requests: readonly VnctlRequest[], redis?: FleetRedis): Promise<void> {
    await this.end();
    this.#scenarios += 1;
    this.#format = this.#scenarios % 2 === 0 ? 'json' : 'yml';
    const dir = path.join(this.lab.dir, `scenario${this.#scenarios}`);
    const said = [...base(this.underlay.attachments), ...requests];
    if (order === 'after') {
      const alone = new Hotori({
        dir,
        ovs: this.#idle,
        nodeId: 'nobody',
        args: ['--auto-register', 'false', '--overlay-mode', 'explicit'],
      });
      this.#hotori = alone;
      await alone.start();
      for (const request of said) await this.say(request);
      await alone.stop();
    }
    const options = {
      dir,
      ovs: this.#idle,
      vna: this.underlay.attachments.map(({ hypervisor: { ovs } }, i) => ({
        ovsdb: ovs.ovsdbEndpoint,
        datapath_type: ovs.datapathType,
        node_id: `vna${i + 1}`,
        datapath_id: dpidOf(i + 1),
        bridge_mappings: { underlay: UNDERLAY_BRIDGE },
        // In OpenVNet the two on one L2 do without tunnels; here where it is asked for.
        ...(order === 'after' ? { overlay: { mac2mac: true } } : {}),
      })),
      args: ['--auto-register', 'false', '--overlay-mode', 'explicit'],
    };
    this.#hotori = redis === undefined ? new Hotori(options) : await Fleet.make({ ...options, redis });
    await this.hotori.start();
    if (order === 'before') for (const request of said) await this.say(request);
    await this.hotori.untilInstalled();
  }

  /** How pings of a VM cross the underlay to another: as they are, in tunnels, or both. Resolves with what is expected when that is so. */
  async crossing(from: number, to: number, expected: 'direct' | 'tunnel'): Promise<string> {
    const cable = this.underlay.attachments[this.lab.hypervisors.indexOf(this.vm(from).hypervisor)]!;
    const look = async (): Promise<string> => {
      const watch = await this.underlay.watch(cable, `icmp or udp port 6081`);
      await this.vm(from).ping(this.addresses.get(to)!, { count: 3 });
      const lines = (await stopped(watch)).filter((line) => /ICMP echo request/.test(line));
      return [...new Set(lines.map((line) => (/Geneve/.test(line) ? 'tunnel' : 'direct')))].join(' and ');
    };
    let seen = await look();
    for (let tries = 0; tries < 5 && seen !== expected; tries++) seen = await look();
    return seen;
  }

  /** Stops Hotori, and makes the VMs forget. */
  async end(): Promise<void> {
    await this.#hotori?.stop();
    this.#hotori = undefined;
    await Promise.all(VMS.map((n) => this.forget(n)));
  }

  /** Sends a request of vnctl's; whatever is not a success is an error. */
  async say({ method, path: at, params = {} }: VnctlRequest): Promise<void> {
    const query = new URLSearchParams(params).toString();
    const { status, body } = await this.hotori.request(method, `${at}.${this.#format}${query === '' ? '' : `?${query}`}`);
    if (status !== 200) throw new Error(`${method} ${at} ${query}: ${status} ${JSON.stringify(body)}`);
  }

  /** Says several and resolves when the hypervisors have them. */
  async sayAll(...requests: readonly VnctlRequest[]): Promise<void> {
    for (const request of requests) await this.say(request);
    await this.hotori.untilInstalled();
  }

  async forget(n: number): Promise<void> {
    const vm = this.vm(n);
    await vm.dhclient.stop();
    for (const what of ['addr', 'neigh', 'route']) await vm.exec(['ip', '-4', what, 'flush', 'dev', 'eth0']);
    this.addresses.delete(n);
  }

  /** Every VM asks for an address; they get those of the plan. */
  async lease(...vms: readonly number[]): Promise<Record<string, string>> {
    const leases = await Promise.all(
      vms.map(async (n) => {
        await this.forget(n);
        const address = (await this.vm(n).dhclient.start())['ip_address']!;
        this.addresses.set(n, address);
        return [`vm${n}`, address] as const;
      }),
    );
    return Object.fromEntries(leases);
  }

  /** Every VM takes an address of its own accord. */
  async configure(prefix: string): Promise<void> {
    await Promise.all(
      VMS.map(async (n) => {
        const address = `${prefix}.${hostOf(n)}`;
        await this.vm(n).configure(`${address}/24`);
        this.addresses.set(n, address);
      }),
    );
  }

  /** Who answers VMs at every address that some other VM has. */
  async answersTo(...vms: readonly number[]): Promise<Record<string, Answers>> {
    const found = await Promise.all(
      vms.map(async (n) => {
        const others = new Set([...this.addresses.values()].filter((address) => address !== this.addresses.get(n)));
        const answers = await Promise.all(
          [...others].sort().map(async (address) => [address, await askName(this.vm(n), address)] as const),
        );
        return [`vm${n}`, Object.fromEntries(answers.filter(([, name]) => name !== ''))] as const;
      }),
    );
    return Object.fromEntries(found);
  }

  /** Resolves with the answers when they are as expected, or with what they are after a while. */
  async settledAnswers(expected: Record<string, Answers>): Promise<Record<string, Answers>> {
    const vms = Object.keys(expected).map((name) => Number(name.slice(2)));
    let answers = await this.answersTo(...vms);
    for (let tries = 0; tries < 5 && !this.#same(answers, expected); tries++) answers = await this.answersTo(...vms);
    return answers;
  }

  #same(a: Record<string, Answers>, b: Record<string, Answers>): boolean {
    const text = (answers: Record<string, Answers>) =>
      JSON.stringify(
        Object.entries(answers)
          .map(([vm, names]) => [vm, Object.entries(names).sort()])
          .sort(),
      );
    return text(a) === text(b);
  }

  async commonCheck(allowed: readonly RegExp[] = []): Promise<void> {
    const vms = VMS.map((n): FabricVm => {
      const address = this.addresses.get(n);
      return {
        hypervisor: this.lab.hypervisors.indexOf(this.vm(n).hypervisor) + 1,
        vm: this.vm(n),
        mac: parseMac(vmMac(n)),
        ipv4: address === undefined ? [] : [parseIpv4(address)],
        ipv6: [],
      };
    });
    await checkFabric({ lab: this.lab, hotori: this.hotori, vms, allowed });
  }

  async destroy(): Promise<void> {
    try {
      await (this.#hotori instanceof Fleet ? this.#hotori.close() : this.#hotori?.stop());
    } finally {
      await this.lab.destroy();
    }
  }
}

/** Each of these VMs, or everyone, reaches every other VM that has an address. */
export function allAnswers({ addresses }: OpenvnetWorld, ...from: readonly number[]): Record<string, Answers> {
  const named = [...addresses].map(([n, address]) => [address, `vm${n}`, n] as const);
  return Object.fromEntries(
    (from.length > 0 ? from : VMS).map((n) => [
      `vm${n}`,
      Object.fromEntries(named.filter(([, , other]) => other !== n).map(([address, name]) => [address, name])),
    ]),
  );
}
