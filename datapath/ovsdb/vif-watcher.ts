/**
 * The NICs plugged into the integration bridge.
 *
 * Owns: reading them from the Port and Interface rows, telling what changed, and the keys we keep with each of them
 * (`external_ids:hotori-…` of its Interface row, which live exactly as long as the NIC stays plugged).
 * Assumes: one vna per bridge writes these keys.
 * Promises: level-triggered: each report is the whole set, and is made only when something in it differs. While OVSDB is away the last set stands.
 *
 * A NIC is first `seen`, without a port number; ovs-vswitchd opens the device and the NIC `has_ofport`; then it is gone. One unplugged and
 * plugged again between two reports shows as a change of `row_uuid`.
 */
import { findBridge } from './bridge-plan.js';
import { allNatClaims } from './nat-claims.js';
import { byUuid, setKeys, type Operation } from './operations.js';
import { OvsdbError } from './ovsdb-error.js';
import type { OvsdbClient } from './ovsdb-client.js';
import type { Row, Tables } from './schema.js';

export interface Vif {
  readonly port_name: string;
  readonly row_uuid: string;
  readonly state: 'seen' | 'has_ofport';
  /** `external_ids:iface-id`; null when there is none, or it could not be anybody's id. */
  readonly iface_id: string | null;
  /** 1–0xfffffeff; null until the device is open, and when it cannot be opened. */
  readonly ofport: number | null;
  /** The conntrack zone claimed for it, 1–65535. */
  readonly ct_zone: number | null;
  /** The interface the zone was claimed for: its connections are not another one's. */
  readonly zone_interface: string | null;
  readonly link_up: boolean;
  /** MAC of the device on the host's side. */
  readonly mac_in_use: string | null;
  /** What `external_ids:hotori-installed-revision` says. */
  readonly installed_revision: string | null;
}

export interface VifChange {
  readonly port_name: string;
  /** undefined: it has just appeared. */
  readonly before: Vif | undefined;
  /** undefined: it is gone. */
  readonly after: Vif | undefined;
}

export interface VifReport {
  /** By port name. */
  readonly vifs: ReadonlyMap<string, Vif>;
  readonly changes: readonly VifChange[];
}

export interface VifWatcherOptions {
  readonly bridge: string;
  readonly onReport: (report: VifReport) => void;
}

const IFACE_ID = 'iface-id';
const CT_ZONE = 'hotori-ct-zone';
const ZONE_INTERFACE = 'hotori-interface';
const INSTALLED = 'hotori-installed-revision';

const MAX_OFPORT = 0xfffffeff;
const MAX_ZONE = 0xffff;
const IFACE_ID_FORM = /^[^\u0000-\u001f\u007f]{1,255}$/;

/** Types that are part of the network rather than plugged into it. */
const NOT_NICS = new Set(['patch', 'geneve', 'vxlan', 'gre', 'ip6gre', 'erspan', 'ip6erspan', 'stt', 'lisp', 'gtpu', 'bareudp', 'srv6']);

export class VifWatcher {
  readonly #client: OvsdbClient;
  readonly #options: VifWatcherOptions;
  #vifs: ReadonlyMap<string, Vif> = new Map();
  /** A row that has not changed is the same NIC as before. */
  readonly #known = new WeakMap<Row<'Interface'>, Vif>();
  #reported = false;

  constructor(client: OvsdbClient, options: VifWatcherOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** By port name. */
  get vifs(): ReadonlyMap<string, Vif> {
    return this.#vifs;
  }

  /** Reports until the signal; resolves then. The first report comes once OVSDB has answered, even if the set is empty. */
  async run(signal: AbortSignal): Promise<void> {
    const unsubscribe = this.#client.subscribe(() => this.#look());
    if (!signal.aborted) {
      this.#look();
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    }
    unsubscribe();
  }

  /**
   * Writes the NIC's conntrack zone and the interface it serves to its row, where the next vna process finds them; what was there is replaced.
   * A NIC plugged in meanwhile under the same name is another NIC.
   * @param rowUuid of the NIC (`Vif.row_uuid`)
   * @throws OvsdbError `no_row` when the NIC is gone, or what OvsdbClient.transact throws
   */
  async claimZone(rowUuid: string, zone: number, interfaceUuid: string, signal?: AbortSignal): Promise<void> {
    if (!Number.isInteger(zone) || zone < 1 || zone > MAX_ZONE) throw new RangeError(`conntrack zone ${zone} is not 1 to ${MAX_ZONE}`);
    const [result] = await this.#client.transact([writing(rowUuid, { [CT_ZONE]: String(zone), [ZONE_INTERFACE]: interfaceUuid })], signal);
    if (result?.count !== 1) throw new OvsdbError('no_row', `the NIC ${rowUuid} is not plugged in`);
  }

  /**
   * Writes to each of these NICs the revision since which its flows are in the switch, as OVN's `ovn-installed` for hypervisor managers to read;
   * null removes it. One transaction; NICs that are gone are left out.
   * @param installed by `Vif.row_uuid`
   * @throws what OvsdbClient.transact throws
   */
  async writeBack(installed: ReadonlyMap<string, string | null>, signal?: AbortSignal): Promise<void> {
    const operations = [...installed].map(([rowUuid, revision]) => writing(rowUuid, { [INSTALLED]: revision }));
    if (operations.length > 0) await this.#client.transact(operations, signal);
  }

  #look(): void {
    const tables = this.#client.tables;
    if (tables === undefined) return;
    const before = this.#vifs;
    const after = readVifs(tables, this.#options.bridge, this.#known);
    const changes: VifChange[] = [];
    for (const [port_name, vif] of after) {
      const was = before.get(port_name);
      if (!isSame(was, vif)) changes.push({ port_name, before: was, after: vif });
    }
    for (const [port_name, was] of before) if (!after.has(port_name)) changes.push({ port_name, before: was, after: undefined });
    if (changes.length === 0 && this.#reported) return;
    this.#reported = true;
    this.#vifs = after;
    this.#options.onReport({ vifs: after, changes });
  }
}

/** By row and not by name: a NIC plugged in since then under the same name is another one. */
function writing(rowUuid: string, pairs: Readonly<Record<string, string | null>>): Operation {
  return { op: 'mutate', table: 'Interface', where: byUuid(rowUuid), mutations: setKeys('external_ids', pairs) };
}

/**
 * The NICs of a bridge. Bonds are left out: their members are no OpenFlow ports.
 * @param known what was read before, by row; added to
 */
export function readVifs(tables: Tables, bridgeName: string, known = new WeakMap<Row<'Interface'>, Vif>()): ReadonlyMap<string, Vif> {
  const vifs = new Map<string, Vif>();
  for (const portUuid of findBridge(tables, bridgeName)?.ports ?? []) {
    const port = tables.Port.get(portUuid);
    if (port?.interfaces.size !== 1) continue;
    const [interfaceUuid] = port.interfaces;
    const row = tables.Interface.get(interfaceUuid!);
    if (row === undefined || row.name === bridgeName || NOT_NICS.has(row.type)) continue;
    let vif = known.get(row);
    if (vif === undefined) known.set(row, (vif = toVif(row)));
    vifs.set(row.name, vif);
  }
  return vifs;
}

/** The conntrack zones claimed on any bridge of this OVSDB, with what claims them, Interface rows and routers: bridges of one datapath type share their conntrack. */
export function readZones(tables: Tables): ReadonlyMap<number, readonly string[]> {
  const zones = new Map<number, string[]>();
  for (const row of tables.Interface.values()) {
    const zone = parseZone(row.external_ids.get(CT_ZONE));
    if (zone === null) continue;
    const rows = zones.get(zone);
    if (rows === undefined) zones.set(zone, [row._uuid]);
    else rows.push(row._uuid);
  }
  for (const [row, pair] of allNatClaims(tables))
    for (const zone of [pair.source_zone, pair.target_zone]) zones.set(zone, [...(zones.get(zone) ?? []), row]);
  return zones;
}

function toVif(row: Row<'Interface'>): Vif {
  const ifaceId = row.external_ids.get(IFACE_ID);
  const ofport = row.ofport !== null && row.ofport >= 1 && row.ofport <= MAX_OFPORT ? row.ofport : null;
  return {
    port_name: row.name,
    row_uuid: row._uuid,
    state: ofport === null ? 'seen' : 'has_ofport',
    iface_id: ifaceId !== undefined && IFACE_ID_FORM.test(ifaceId) ? ifaceId : null,
    ofport,
    ct_zone: parseZone(row.external_ids.get(CT_ZONE)),
    zone_interface: row.external_ids.get(ZONE_INTERFACE) ?? null,
    link_up: row.link_state === 'up',
    mac_in_use: row.mac_in_use,
    installed_revision: row.external_ids.get(INSTALLED) ?? null,
  };
}

function parseZone(text: string | undefined): number | null {
  const zone = text !== undefined && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0;
  return zone >= 1 && zone <= MAX_ZONE ? zone : null;
}

function isSame(a: Vif | undefined, b: Vif | undefined): boolean {
  if (a === b || a === undefined || b === undefined) return a === b;
  return (Object.keys(a) as (keyof Vif)[]).every((key) => a[key] === b[key]);
}
