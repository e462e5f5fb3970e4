/**
 * Hotori under the workload: one process with all bridges, or one for each role.
 *
 * Owns: the workload in the words of the REST API.
 */
import { eventually } from '../../lab/eventually.js';
import type { Json } from '../../lab/hotori.js';
import type { Lab } from '../../lab/lab.js';
import type { Roles } from './processes.js';
import { Programs } from './programs.js';
import type { Side } from './side.js';
import { Switch } from './switches.js';
import { DNS_SERVER, GROUP_TCP_PORTS, MTU, type Port, type Workload } from './workload.js';

/** What Hotori writes beside a NIC that is installed. */
const MARK = 'hotori-installed-revision';
const WAIT = 'wait=installed&timeout=300';

interface Operation {
  readonly method: 'POST';
  readonly path: string;
  readonly body: object;
}

export class HotoriSide implements Side {
  readonly name = 'hotori';
  readonly switches: readonly Switch[];
  readonly #workload: Workload;
  readonly #programs: Programs;
  /** As they registered. */
  #datapaths: readonly { readonly uuid: string; readonly node_id: string }[] | undefined;

  private constructor(workload: Workload, switches: readonly Switch[], programs: Programs) {
    this.#workload = workload;
    this.switches = switches;
    this.#programs = programs;
  }

  /**
   * @param nodeArgs for the node executable, such as --cpu-prof
   * @param areApart a process for each role, over Redis
   */
  static async start(lab: Lab, workload: Workload, nodeArgs: readonly string[], areApart = false): Promise<HotoriSide> {
    const switches: Switch[] = [];
    for (let i = 0; i < workload.hypervisors; i++) switches.push(await Switch.start(lab, `ho${i}`, MARK));
    const programs = areApart ? await Programs.apart(lab, switches, nodeArgs) : await Programs.together(lab, switches, nodeArgs);
    const side = new HotoriSide(workload, switches, programs);
    await side.#start();
    await side.settle();
    return side;
  }

  roles(): Roles {
    return {
      ...this.#programs.roles(),
      'ovs-vswitchd': this.switches.map(({ pids }) => pids.vswitchd),
      'ovsdb-server': this.switches.map(({ pids }) => pids.ovsdb),
    };
  }

  async plug(ports: readonly Port[]): Promise<void> {
    for (const [number, one] of this.switches.entries()) {
      const names = ports.filter(({ hypervisor }) => hypervisor === number).map(({ name }) => name);
      if (names.length > 0) await one.plug(names, interfaceUuid);
    }
  }

  async load(): Promise<void> {
    const { ports } = this.#workload;
    await this.#ask('POST', `/batch?${WAIT}`, { operations: operationsOf(this.#workload) });
    await Promise.all(
      this.switches.map((one, number) => one.untilMarked(ports.filter(({ hypervisor }) => hypervisor === number).map(({ name }) => name))),
    );
  }

  async addPort(port: Port, onInstalled?: () => void): Promise<void> {
    const installed = this.switches[port.hypervisor]!.untilMarked([port.name]).then(onInstalled);
    await this.#ask('POST', `/interfaces?${WAIT}`, interfaceOf(port));
    await installed;
  }

  async addRule(tcpPort: number): Promise<void> {
    await this.#ask('PUT', `/security_groups/sg-0?${WAIT}`, { rules: rulesOf(0, [...GROUP_TCP_PORTS, tcpPort]) });
  }

  async removeRule(): Promise<void> {
    await this.#ask('PUT', `/security_groups/sg-0?${WAIT}`, { rules: rulesOf(0, GROUP_TCP_PORTS) });
  }

  async leave({ name }: Port): Promise<void> {
    await this.#ask('PUT', `/interfaces/${interfaceUuid(name)}?${WAIT}`, { security_group_uuids: [] });
  }

  async join({ name, group }: Port): Promise<void> {
    await this.#ask('PUT', `/interfaces/${interfaceUuid(name)}?${WAIT}`, { security_group_uuids: [`sg-${group}`] });
  }

  /** Up to date, and no revision comes any more. */
  async settle(): Promise<void> {
    let last = -1;
    await eventually(
      'everything being installed',
      async () => {
        const { revision, datapaths } = await this.#status();
        const isQuiet = revision === last && datapaths.length === this.switches.length && datapaths.every(isUpToDate);
        last = revision;
        return isQuiet;
      },
      { timeoutMs: 300_000, everyMs: 50 },
    );
  }

  async restart(): Promise<void> {
    const before = await this.#servers();
    await this.#programs.kill9();
    await this.#start();
    // For some seconds a vnmgr that was killed counts as alive, and what it said last as true.
    if (this.#programs.areApart)
      await eventually('others serving', async () => (await this.#servers()).every((name) => name !== null && !before.includes(name)), {
        timeoutMs: 60_000,
        everyMs: 50,
      });
    await this.settle();
  }

  /** Which vnmgr serves each datapath. */
  async #servers(): Promise<(string | null)[]> {
    return (await this.#status()).datapaths.map(({ served_by }: Json) => served_by);
  }

  async flowMods(): Promise<readonly number[]> {
    this.#datapaths ??= (await this.#ask('GET', '/datapaths')).items;
    const { datapaths } = await this.#status();
    return this.switches.map(({ name }) => {
      const { uuid } = this.#datapaths!.find(({ node_id }) => node_id === name)!;
      return datapaths.find((datapath: Json) => datapath.uuid === uuid).flow_mods as number;
    });
  }

  async end(): Promise<void> {
    await this.#programs.stop();
  }

  async stop(): Promise<void> {
    for (const { ovsdb } of this.switches) ovsdb.close();
    await this.end();
  }

  #status(): Promise<Json> {
    return this.#ask('GET', '/status');
  }

  async #start(): Promise<void> {
    this.#programs.start();
    const answer = async (): Promise<unknown> => {
      this.#programs.check();
      return (await this.#status()).version;
    };
    await eventually('the API answering', answer, { timeoutMs: 60_000, everyMs: 5 });
  }

  async #ask(method: string, at: string, body?: object): Promise<Json> {
    const init = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(`http://${this.#programs.api}/api/1.0${at}`, { method, ...init });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${at}: ${response.status} ${text}`);
    return JSON.parse(text);
  }
}

function isUpToDate({ connected, applied_revision, desired_revision }: Json): boolean {
  return connected && applied_revision !== null && applied_revision >= desired_revision;
}

function interfaceUuid(name: string): string {
  return `if-${name}`;
}

function operationsOf({ networks, routers, ports }: Workload): Operation[] {
  const operations: Operation[] = [];
  const post = (collection: string, body: object): void => void operations.push({ method: 'POST', path: `/${collection}`, body });
  for (const r of routers.keys()) {
    post('route_links', { uuid: `rl-${r}` });
    post('security_groups', { uuid: `sg-${r}`, rules: rulesOf(r, GROUP_TCP_PORTS) });
  }
  for (const [n, { subnet, gateway, gatewayMac, router }] of networks.entries()) {
    const place = { network_uuid: `nw-${n}` };
    const range = { ipv4_network: subnet, ipv4_prefix: 24 };
    post('networks', { uuid: `nw-${n}`, ...range, dns_servers: [DNS_SERVER], mtu: MTU });
    const simulated = { uuid: `if-gw${n}`, mode: 'simulated', enable_routing: true, mac_address: gatewayMac, ipv4_address: gateway };
    post('interfaces', { ...simulated, ...place });
    post('network_services', { mode: 'dhcp', interface_uuid: `if-gw${n}` });
    post('routes', { interface_uuid: `if-gw${n}`, ...place, route_link_uuid: `rl-${router}`, ...range });
  }
  for (const port of ports) post('interfaces', interfaceOf(port));
  return operations;
}

function interfaceOf({ name, network, mac, address, group }: Port): object {
  const where = { network_uuid: `nw-${network}`, mac_address: mac, ipv4_address: address };
  return { uuid: interfaceUuid(name), mode: 'vif', ...where, security_group_uuids: [`sg-${group}`] };
}

function rulesOf(group: number, tcpPorts: readonly number[]): object[] {
  const ingress = { direction: 'ingress', family: 'ipv4' };
  const tcp = tcpPorts.map((port) => ({
    uuid: `sgr-${group}p${port}`,
    ...ingress,
    protocol: 'tcp',
    ports: [String(port)],
    remote: { any: true },
  }));
  return [
    ...tcp,
    { uuid: `sgr-${group}own`, ...ingress, protocol: 'any', remote: { security_group_uuid: `sg-${group}` } },
    { uuid: `sgr-${group}icmp`, ...ingress, protocol: 'icmp', remote: { any: true } },
  ];
}
