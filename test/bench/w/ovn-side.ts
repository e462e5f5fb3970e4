/**
 * OVN under the workload.
 *
 * Owns: the workload in the words of OVN's northbound database, as Neutron would write it: a port group with six `allow-related` ACLs for each
 * security group, and one group of all ports whose two ACLs drop the rest.
 * Promises: "every hypervisor has it" is `hv_cfg` of the northbound database reaching the `nb_cfg` written with the change; "installed" is
 * `ovn-installed` at the NIC. Both as OVN offers them to who waits.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../lab/eventually.js';
import type { Lab } from '../../lab/lab.js';
import { OvnCentral, OvnController } from './ovn-daemons.js';
import { namedUuid, Ovsdb, ovsdbMap, ovsdbSet, type OvsdbOperation } from './ovsdb.js';
import type { Roles } from './processes.js';
import type { Side } from './side.js';
import { Switch } from './switches.js';
import { DNS_SERVER, GROUP_TCP_PORTS, LEASE_SECONDS, MTU, type Port, type Workload } from './workload.js';

const MARK = 'ovn-installed';
const BUMP: OvsdbOperation = { op: 'mutate', table: 'NB_Global', where: [], mutations: [['nb_cfg', '+=', 1]] };
const DROP_GROUP = 'pg_drop';

export class OvnSide implements Side {
  readonly name: string;
  readonly switches: readonly Switch[];
  readonly #workload: Workload;
  readonly #central: OvnCentral;
  readonly #controllers: readonly OvnController[];
  readonly #nb: Ovsdb;
  readonly #dhcp = new Map<number, unknown>();
  #hvCfg = 0;
  #wake: () => void = () => undefined;
  #rule: unknown;

  private constructor(
    workload: Workload,
    name: string,
    switches: readonly Switch[],
    central: OvnCentral,
    controllers: readonly OvnController[],
    nb: Ovsdb,
  ) {
    this.#workload = workload;
    this.name = name;
    this.switches = switches;
    this.#central = central;
    this.#controllers = controllers;
    this.#nb = nb;
  }

  static async start(lab: Lab, workload: Workload, version: string): Promise<OvnSide> {
    const central = new OvnCentral(path.join(lab.dir, 'ovn'));
    await central.start();
    const switches: Switch[] = [];
    const controllers: OvnController[] = [];
    for (let i = 0; i < workload.hypervisors; i++) {
      const one = await Switch.start(lab, `ov${i}`, MARK);
      const controller = new OvnController(one.ovs);
      await controller.prepare(i, central);
      controller.start();
      switches.push(one);
      controllers.push(controller);
    }
    const nb = await Ovsdb.connect(central.socket('nb'), 'OVN_Northbound');
    const side = new OvnSide(workload, `OVN ${version}`, switches, central, controllers, nb);
    await nb.monitor('NB_Global', ['hv_cfg'], ({ NB_Global = {} }) => {
      for (const { new: row } of Object.values(NB_Global)) if (row !== undefined) side.#hvCfg = row['hv_cfg'] as number;
      side.#wake();
    });
    await side.#untilChassis();
    await side.settle();
    return side;
  }

  roles(): Roles {
    const { nb, sb, northd } = this.#central.pids;
    return {
      'ovn-nb': [nb],
      'ovn-sb': [sb],
      'ovn-northd': [northd],
      'ovn-controller': this.#controllers.map(({ pid }) => pid),
      'ovs-vswitchd': this.switches.map(({ pids }) => pids.vswitchd),
      'ovsdb-server': this.switches.map(({ pids }) => pids.ovsdb),
    };
  }

  async plug(ports: readonly Port[]): Promise<void> {
    for (const [number, one] of this.switches.entries()) {
      const names = ports.filter(({ hypervisor }) => hypervisor === number).map(({ name }) => name);
      if (names.length > 0) await one.plug(names, (name) => name);
    }
    await sleep(150);
    await this.settle();
  }

  async load(): Promise<void> {
    const { ports } = this.#workload;
    await this.#nb.transact([...operationsOf(this.#workload), BUMP]);
    await Promise.all(
      this.switches.map((one, number) => one.untilMarked(ports.filter(({ hypervisor }) => hypervisor === number).map(({ name }) => name))),
    );
    await this.settle();
  }

  async addPort(port: Port, onInstalled?: () => void): Promise<void> {
    const { network, hypervisor, name, group } = port;
    if (!this.#dhcp.has(network)) {
      const cidr = `${this.#workload.networks[network]!.subnet}/24`;
      const [row] = await this.#nb.select('DHCP_Options', ['_uuid'], [['cidr', '==', cidr]]);
      this.#dhcp.set(network, row?.['_uuid']);
    }
    const into = (table: string, which: string): OvsdbOperation => ({
      op: 'mutate',
      table,
      where: [['name', '==', which]],
      mutations: [['ports', 'insert', namedUuid('port')]],
    });
    const installed = this.switches[hypervisor]!.untilMarked([name]).then(onInstalled);
    await this.#change([
      portRow(port, 'port', this.#dhcp.get(network)),
      into('Logical_Switch', `s${network}`),
      into('Port_Group', `sg${group}`),
      into('Port_Group', DROP_GROUP),
    ]);
    await installed;
  }

  async addRule(tcpPort: number): Promise<void> {
    const insert = { op: 'mutate', table: 'Port_Group', where: [['name', '==', 'sg0']], mutations: [['acls', 'insert', namedUuid('a')]] };
    const [added] = await this.#change([{ ...tcpRule(0, tcpPort), 'uuid-name': 'a' }, insert]);
    this.#rule = added?.uuid;
  }

  async removeRule(): Promise<void> {
    const mutations = [['acls', 'delete', this.#rule]];
    await this.#change([{ op: 'mutate', table: 'Port_Group', where: [['name', '==', 'sg0']], mutations }]);
  }

  leave(port: Port): Promise<void> {
    return this.#changeMember(port, 'delete');
  }

  join(port: Port): Promise<void> {
    return this.#changeMember(port, 'insert');
  }

  async #changeMember({ name, group }: Port, how: 'insert' | 'delete'): Promise<void> {
    const [row] = await this.#nb.select('Logical_Switch_Port', ['_uuid'], [['name', '==', name]]);
    const where = [['name', '==', `sg${group}`]];
    await this.#change([{ op: 'mutate', table: 'Port_Group', where, mutations: [['ports', how, row?.['_uuid']]] }]);
  }

  async settle(): Promise<void> {
    await this.#change([]);
  }

  async restart(): Promise<void> {
    const [first] = this.#controllers;
    await first?.endForRestart();
    first?.start();
    await this.settle();
  }

  async stop(): Promise<void> {
    this.#nb.close();
    for (const { ovsdb } of this.switches) ovsdb.close();
    for (const controller of this.#controllers) await controller.stop();
    await this.#central.stop();
  }

  /** Resolves when every hypervisor has what these operations change. */
  async #change(operations: readonly OvsdbOperation[]): Promise<readonly { readonly uuid?: unknown }[]> {
    const results = await this.#nb.transact([...operations, BUMP, { op: 'select', table: 'NB_Global', where: [], columns: ['nb_cfg'] }]);
    const wanted = results.at(-1)?.rows?.[0]?.['nb_cfg'] as number;
    await new Promise<void>((resolve) => {
      this.#wake = () => {
        if (this.#hvCfg >= wanted) resolve();
      };
      this.#wake();
    });
    return results;
  }

  async #untilChassis(): Promise<void> {
    const sb = await Ovsdb.connect(this.#central.socket('sb'), 'OVN_Southbound');
    await eventually('every hypervisor being known', async () => (await sb.select('Chassis', ['name'])).length === this.switches.length);
    sb.close();
  }
}

function operationsOf({ networks, routers, ports }: Workload): OvsdbOperation[] {
  const operations: OvsdbOperation[] = [];
  const insert = (table: string, row: object, name?: string): void =>
    void operations.push({ op: 'insert', table, row, ...(name === undefined ? {} : { 'uuid-name': name }) });

  for (const [n, { subnet, gateway, gatewayMac }] of networks.entries()) {
    const dhcp = { server_id: gateway, server_mac: gatewayMac, lease_time: String(LEASE_SECONDS), router: gateway };
    const options = ovsdbMap({ ...dhcp, dns_server: `{${DNS_SERVER}}`, mtu: String(MTU) });
    insert('DHCP_Options', { cidr: `${subnet}/24`, options }, `d${n}`);
  }
  for (const [i, port] of ports.entries()) operations.push(portRow(port, `p${i}`, namedUuid(`d${port.network}`)));
  for (const [r, joined] of routers.entries()) {
    for (const n of joined) {
      const { gateway, gatewayMac } = networks[n]!;
      insert('Logical_Router_Port', { name: `rp${n}`, mac: gatewayMac, networks: `${gateway}/24` }, `rp${n}`);
      const options = ovsdbMap({ 'router-port': `rp${n}` });
      insert('Logical_Switch_Port', { name: `sr${n}`, type: 'router', addresses: 'router', options }, `sr${n}`);
    }
    insert('Logical_Router', { name: `r${r}`, ports: ovsdbSet(joined.map((n) => namedUuid(`rp${n}`))) });
  }
  for (const n of networks.keys()) {
    const own = ports.flatMap(({ network }, i) => (network === n ? [namedUuid(`p${i}`)] : []));
    insert('Logical_Switch', { name: `s${n}`, ports: ovsdbSet([...own, namedUuid(`sr${n}`)]) });
  }
  for (const r of routers.keys()) {
    const rules = groupRules(r).map((rule, i) => ({ ...rule, 'uuid-name': `a${r}x${i}` }));
    operations.push(...rules);
    const members = ports.flatMap(({ group }, i) => (group === r ? [namedUuid(`p${i}`)] : []));
    insert('Port_Group', { name: `sg${r}`, ports: ovsdbSet(members), acls: ovsdbSet(rules.map((rule) => namedUuid(rule['uuid-name']))) });
  }
  operations.push({ ...acl(1001, 'from-lport', `inport == @${DROP_GROUP} && ip`, 'drop'), 'uuid-name': 'dr0' });
  operations.push({ ...acl(1001, 'to-lport', `outport == @${DROP_GROUP} && ip`, 'drop'), 'uuid-name': 'dr1' });
  const all = ovsdbSet(ports.map((_, i) => namedUuid(`p${i}`)));
  insert('Port_Group', { name: DROP_GROUP, ports: all, acls: ovsdbSet([namedUuid('dr0'), namedUuid('dr1')]) });
  return operations;
}

function portRow({ name, mac, address }: Port, uuidName: string, dhcp: unknown): OvsdbOperation {
  const addresses = `${mac} ${address}`;
  const row = { name, addresses, port_security: addresses, dhcpv4_options: dhcp };
  return { op: 'insert', table: 'Logical_Switch_Port', row, 'uuid-name': uuidName };
}

function groupRules(group: number): OvsdbOperation[] {
  const to = `outport == @sg${group} && ip4`;
  return [
    acl(1002, 'from-lport', `inport == @sg${group} && ip4`, 'allow-related'),
    ...GROUP_TCP_PORTS.map((port) => tcpRule(group, port)),
    acl(1002, 'to-lport', `${to} && ip4.src == $sg${group}_ip4`, 'allow-related'),
    acl(1002, 'to-lport', `${to} && ip4.src == 0.0.0.0/0 && icmp4`, 'allow-related'),
  ];
}

function tcpRule(group: number, port: number): OvsdbOperation {
  const match = `outport == @sg${group} && ip4 && ip4.src == 0.0.0.0/0 && tcp && tcp.dst == ${port}`;
  return acl(1002, 'to-lport', match, 'allow-related');
}

function acl(priority: number, direction: string, match: string, action: string): OvsdbOperation {
  return { op: 'insert', table: 'ACL', row: { priority, direction, match, action } };
}
