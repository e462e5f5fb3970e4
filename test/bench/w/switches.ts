/**
 * The hypervisors' switches: a real ovs-vswitchd with the dummy datapath for each, the same for all who are measured.
 *
 * Owns: the daemons, a raw OVSDB connection to each, plugging of NICs.
 * Promises: `plug` resolves when ovs-vswitchd has taken the NICs up.
 */
import path from 'node:path';
import { eventually } from '../../lab/eventually.js';
import type { Lab } from '../../lab/lab.js';
import type { Ovs } from '../../lab/ovs.js';
import { namedUuid, Ovsdb, ovsdbMap, ovsdbSet, valueIn, type OvsdbOperation } from './ovsdb.js';

export const BRIDGE = 'br-int';

export class Switch {
  readonly name: string;
  readonly ovs: Ovs;
  readonly ovsdb: Ovsdb;
  readonly #mark: string;
  /** NICs that bear this key among their external_ids, kept up to date by the monitor. */
  readonly marked = new Set<string>();
  #onMark: () => void = () => undefined;

  private constructor(name: string, ovs: Ovs, ovsdb: Ovsdb, mark: string) {
    this.name = name;
    this.ovs = ovs;
    this.ovsdb = ovsdb;
    this.#mark = mark;
  }

  /** @param mark the key by which the controller says that a NIC is installed */
  static async start(lab: Lab, name: string, mark: string): Promise<Switch> {
    const ovs = await lab.addDummySwitch(name);
    const ovsdb = await Ovsdb.connect(path.join(ovs.dir, 'db.sock'), 'Open_vSwitch');
    const one = new Switch(name, ovs, ovsdb, mark);
    await ovsdb.monitor('Interface', ['name', 'external_ids'], ({ Interface = {} }) => {
      for (const { new: row } of Object.values(Interface)) {
        if (row !== undefined && (valueIn(row['external_ids'], mark) ?? 'false') !== 'false') one.marked.add(row['name'] as string);
      }
      one.#onMark();
    });
    return one;
  }

  get pids(): { readonly vswitchd: number; readonly ovsdb: number } {
    return { vswitchd: this.ovs.vswitchd.pid, ovsdb: this.ovs.ovsdbServer.pid };
  }

  /** Resolves when all of these NICs are marked. */
  untilMarked(names: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const waiting = new Set(names);
      const check = (): void => {
        for (const name of waiting) if (this.marked.has(name)) waiting.delete(name);
        if (waiting.size === 0) resolve();
      };
      this.#onMark = check;
      check();
    });
  }

  /** Marks a NIC as its controller would, who is gone. Resolves when the monitor says so. */
  async mark(name: string, value: string): Promise<void> {
    this.marked.delete(name);
    const marked = this.untilMarked([name]);
    const mutations = [
      ['external_ids', 'delete', ovsdbSet([this.#mark])],
      ['external_ids', 'insert', ovsdbMap({ [this.#mark]: value })],
    ];
    await this.ovsdb.transact([{ op: 'mutate', table: 'Interface', where: [['name', '==', name]], mutations }]);
    await marked;
  }

  /** @param ifaceId what the platform calls the NIC's port */
  async plug(names: readonly string[], ifaceId: (name: string) => string): Promise<void> {
    const [bridge] = await this.ovsdb.select('Bridge', ['_uuid'], [['name', '==', BRIDGE]]);
    const operations: OvsdbOperation[] = names.flatMap((name, i) => [
      {
        op: 'insert',
        table: 'Interface',
        row: { name, type: 'dummy', external_ids: ovsdbMap({ 'iface-id': ifaceId(name) }) },
        'uuid-name': `i${i}`,
      },
      { op: 'insert', table: 'Port', row: { name, interfaces: namedUuid(`i${i}`) }, 'uuid-name': `p${i}` },
    ]);
    const ports = ovsdbSet(names.map((_, i) => namedUuid(`p${i}`)));
    operations.push(
      { op: 'mutate', table: 'Bridge', where: [['_uuid', '==', bridge?.['_uuid']]], mutations: [['ports', 'insert', ports]] },
      { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '+=', 1]] },
    );
    await this.ovsdb.transact(operations);
    await eventually(
      'the NICs being taken up',
      async () => {
        const [row] = await this.ovsdb.select('Open_vSwitch', ['next_cfg', 'cur_cfg']);
        return (row?.['cur_cfg'] as number) >= (row?.['next_cfg'] as number);
      },
      { timeoutMs: 120_000, everyMs: 20 },
    );
  }

  async flowCount(): Promise<number> {
    return Number(/flow_count=(\d+)/.exec(await this.ovs.ofctl(['dump-aggregate', BRIDGE], { timeoutMs: 120_000 }))?.[1]);
  }
}
