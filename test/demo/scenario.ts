/**
 * What the demo shows, step by step.
 *
 * Owns: the order of the steps and what is expected of each.
 * Promises: an expectation that fails is said and counted and the rest goes on; what cannot be done at all is thrown.
 */
import { eventually } from '../lab/eventually.js';
import type { Hotori } from '../lab/hotori.js';
import type { Hypervisor } from '../lab/hypervisor.js';
import type { Lab } from '../lab/lab.js';
import type { Argv } from '../lab/run.js';
import type { Vm } from '../lab/vm.js';
import type { Narrator } from './narrator.js';
import { VMS, ipv6Of, requests, routerOf, type DemoVm } from './topology.js';

const BRIDGE = 'br-int';

export class Scenario {
  readonly #lab: Lab;
  readonly #narrator: Narrator;
  readonly #vms = new Map<DemoVm, Vm>();
  #hypervisor!: Hypervisor;
  #hotori!: Hotori;

  constructor(lab: Lab, narrator: Narrator) {
    this.#lab = lab;
    this.#narrator = narrator;
  }

  /** @param api where the API is to listen, `HOST:PORT` */
  async play(api: string): Promise<void> {
    await this.#startSwitch();
    await this.#startHotori(api);
    await this.#startVms();
    await this.#define();
    await this.#obtainAddresses();
    await this.#pingInNetwork();
    await this.#pingAcrossRouter();
    await this.#traceroute();
    await this.#connect();
    await this.#countFlows();
  }

  async #startSwitch(): Promise<void> {
    this.#narrator.step('Open vSwitch of its own, in a network namespace');
    this.#hypervisor = await this.#lab.addHypervisor();
    const version = (await this.#hypervisor.ovs.appctl('version')).split('\n')[0] ?? '';
    this.#narrator.detail(`${version}, userspace datapath, run directory ${this.#hypervisor.ovs.dir}`);
  }

  async #startHotori(api: string): Promise<void> {
    this.#narrator.step('Hotori');
    this.#hotori = await this.#lab.startHotori({ ovs: this.#hypervisor.ovs, api, nodeId: 'demo' });
    await this.#hotori.untilInstalled();
    const { datapaths } = await this.#hotori.get('/status');
    this.#narrator.detail(`API at ${this.#hotori.url}`);
    this.#narrator.expect(datapaths.length === 1, `it created the bridge ${BRIDGE} and registered it as ${datapaths[0]?.uuid}`);
  }

  async #startVms(): Promise<void> {
    this.#narrator.step('Four VMs: namespaces, each with a NIC plugged into the bridge');
    for (const spec of Object.values(VMS)) {
      const iface_id = `if-${spec.name}`;
      this.#vms.set(spec, await this.#lab.addVm(this.#hypervisor, { name: spec.name, mac: spec.mac, iface_id, up: false }));
      this.#narrator.detail(`${spec.name.padEnd(5)} MAC ${spec.mac}, external_ids:iface-id=${iface_id}`);
    }
  }

  async #define(): Promise<void> {
    this.#narrator.step('Two networks, a router, two security groups and the interfaces of the VMs, over REST');
    for (const { path, body } of requests()) {
      const answer = await this.#hotori.request('POST', `${path}?wait=installed&timeout=10`, body);
      this.#narrator.detail(`POST ${path.padEnd(18)} ${body.uuid.padEnd(12)} ${answer.status}`);
      if (answer.status !== 200) throw new Error(`POST ${path}: ${JSON.stringify(answer.body)}`);
    }
    const { revision, datapaths } = await this.#hotori.get('/status');
    const [datapath] = datapaths;
    this.#narrator.expect(
      datapath.applied_revision === datapath.desired_revision,
      `revision ${revision.number ?? revision}: every change was on the switch before its request was answered`,
    );
  }

  async #obtainAddresses(): Promise<void> {
    this.#narrator.step('Addresses by DHCP and by router advertisement');
    await Promise.all(
      Object.values(VMS).map(async (spec) => {
        const lease = await this.#vm(spec).dhclient.start();
        const { ip_address, routers, interface_mtu } = lease;
        this.#narrator.command(spec.name, ['dhclient', 'eth0'], `bound to ${ip_address}, router ${routers}, MTU ${interface_mtu}`);
        this.#narrator.expect(ip_address === spec.ipv4, `${spec.name} has ${spec.ipv4}`);
      }),
    );
    await Promise.all(
      Object.values(VMS).map(async (spec) => {
        const ipv6 = `${ipv6Of(spec)}/64`;
        const isThere = await eventually(ipv6, async () => (await this.#vm(spec).addresses()).includes(ipv6), { timeoutMs: 15_000 }).catch(
          () => false,
        );
        this.#narrator.expect(isThere, `${spec.name} has ${ipv6}`);
      }),
    );
  }

  async #pingInNetwork(): Promise<void> {
    this.#narrator.step('Ping inside a network');
    await this.#expectPing(VMS.web1, VMS.web2.ipv4);
    await this.#expectPing(VMS.db2, ipv6Of(VMS.db1));
  }

  async #pingAcrossRouter(): Promise<void> {
    this.#narrator.step('Ping across the router');
    await this.#expectPing(VMS.web1, VMS.db1.ipv4);
    await this.#expectPing(VMS.db2, ipv6Of(VMS.web2));
  }

  async #traceroute(): Promise<void> {
    this.#narrator.step('Traceroute shows the router');
    const output = await this.#run(VMS.web1, ['traceroute', '-n', '-q', '1', '-w', '2', '-m', '5', VMS.db1.ipv4]);
    const hops = [...output.matchAll(/^\s*\d+\s+(\S+)/gm)].map((hop) => hop[1]);
    const expected = [routerOf(VMS.web1), VMS.db1.ipv4];
    this.#narrator.expect(hops.join() === expected.join(), `the hops are ${expected.join(' and ')}`);
  }

  async #connect(): Promise<void> {
    this.#narrator.step('Security groups: databases accept TCP port 5432 from web servers only');
    const port = '5432';
    const listener = this.#vm(VMS.db1).spawn(['nc', '-l', '-k', port]);
    // Asked on the spot: a connection from outside is what is to be shown.
    const connect: Argv = ['nc', '-z', '-v', '-w', '2', VMS.db1.ipv4, port];
    await eventually('the listener', async () => (await this.#vm(VMS.db1).exec(['nc', '-z', '127.0.0.1', port])).code === 0);
    const allowed = await this.#vm(VMS.web1).exec(connect);
    this.#narrator.command('web1', connect, allowed.stderr);
    this.#narrator.expect(allowed.code === 0, 'web1, a web server, gets through');
    const refused = await this.#vm(VMS.db2).exec(connect);
    this.#narrator.command('db2', connect, refused.stderr);
    this.#narrator.expect(refused.code !== 0, 'db2, a database itself, does not');
    await this.#expectPing(VMS.db2, VMS.db1.ipv4);
    await listener.stop();
  }

  async #countFlows(): Promise<void> {
    this.#narrator.step('Flows on the bridge');
    const argv = ['dump-aggregate', BRIDGE];
    const output = await this.#hypervisor.ovs.ofctl(argv);
    this.#narrator.command('hv1', ['ovs-ofctl', ...argv], output);
    const count = Number(/flow_count=(\d+)/.exec(output)?.[1]);
    const { datapaths } = await this.#hotori.get('/status');
    this.#narrator.expect(count > 0 && count === datapaths[0].flow_count, `${count} flows, and Hotori says ${datapaths[0].flow_count}`);
  }

  async #expectPing(from: DemoVm, to: string): Promise<void> {
    const output = await this.#run(from, ['ping', '-n', '-c', '3', '-i', '0.2', '-W', '1', to]);
    this.#narrator.expect(/ 3 received/.test(output), `${from.name} reaches ${to}`);
  }

  async #run(vm: DemoVm, argv: Argv): Promise<string> {
    const { stdout, stderr } = await this.#vm(vm).exec(argv);
    this.#narrator.command(vm.name, argv, stdout + stderr);
    return stdout;
  }

  #vm(spec: DemoVm): Vm {
    return this.#vms.get(spec)!;
  }
}
