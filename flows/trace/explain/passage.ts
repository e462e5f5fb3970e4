/**
 * One packet on its way, and what became of it.
 *
 * Owns: sending packets one after another through the same connections, and finding the one thing that a passage comes down to.
 * Promises: if a part of the way is unknown the ending is; if a copy is delivered, that is the ending, else who answers, else why it is dropped.
 */
import { physicalNameOf } from '../../model/gateways.js';
import { formatIp } from '../../net/ip.js';
import { decodePunt, type PuntKind } from '../../pipeline/punt.js';
import { ConnectionTable } from '../connection-table.js';
import { traceFabric, type Delivered, type FabricTrace, type Site, type Sites, type Visit } from '../fabric.js';
import type { FieldRecord, Microflow } from '../microflow.js';
import type { Drop, Punt } from '../result.js';
import { ETH_TYPE, IP_PROTO } from '../prerequisite.js';
import { networksByKey, register } from './names.js';
import { addressesIn } from './packet.js';
import type { Realm } from './realm.js';

const ETHERNET = 14;

/** Connections of every datapath, made as packets come along. */
export class Experiment {
  readonly realm: Realm;
  readonly #conntracks: Map<string, ConnectionTable>;

  constructor(realm: Realm, conntracks = new Map<string, ConnectionTable>()) {
    this.realm = realm;
    this.#conntracks = conntracks;
  }

  /** With copies of the connections there are now. */
  fork(): Experiment {
    return new Experiment(this.realm, new Map([...this.#conntracks].map(([uuid, table]) => [uuid, table.clone()])));
  }

  /** @param size bytes of the IP packet */
  send(datapathUuid: string, packet: FieldRecord, size: number): Passage {
    const { realm } = this;
    const tracked = (site: Site | undefined): Site | undefined => {
      if (site === undefined) return undefined;
      const { datapath_uuid, interpreter, addresses, tunnels, direct } = site;
      return { datapath_uuid, interpreter, addresses, tunnels, direct, conntrack: this.#conntrackOf(datapath_uuid) };
    };
    const sites: Sites = {
      at: (uuid) => tracked(realm.at(uuid)),
      endingAt: (address) => tracked(realm.endingAt(address)),
      *sharing(l2, frame) {
        for (const site of realm.sharing(l2, frame)) yield tracked(site)!;
      },
    };
    return new Passage(realm, traceFabric(sites, datapathUuid, packet, { length: size + ETHERNET, snapshots: true }));
  }

  #conntrackOf(uuid: string): ConnectionTable {
    let table = this.#conntracks.get(uuid);
    if (table === undefined) this.#conntracks.set(uuid, (table = new ConnectionTable()));
    return table;
  }
}

export type Ending =
  | { readonly kind: 'undecidable'; readonly visit: number; readonly why: string }
  /** To an interface; null for a port that is none's. */
  | { readonly kind: 'delivered'; readonly visit: number; readonly interface_uuid: string | null; readonly delivered: Delivered }
  /** Out of a port to a physical network, or to a neighbour of a gateway there whose MAC is asked for when something comes for it. */
  | {
      readonly kind: 'outside';
      readonly visit: number;
      readonly physical_network: string;
      /** Who has to answer for its MAC; undefined: whoever has the MAC that it is sent to. */
      readonly neighbor: string | undefined;
      readonly packet: Microflow;
    }
  /** By flows alone, back to where it came from. */
  | { readonly kind: 'answered'; readonly visit: number; readonly delivered: Delivered }
  /** By an agent. */
  | { readonly kind: 'punted'; readonly visit: number; readonly punt: Punt; readonly what: PuntKind }
  | { readonly kind: 'dropped'; readonly visit: number; readonly drop: Drop }
  | { readonly kind: 'lost'; readonly visit: number; readonly why: string };

export class Passage {
  readonly fabric: FabricTrace;
  readonly ending: Ending;
  readonly #realm: Realm;

  constructor(realm: Realm, fabric: FabricTrace) {
    this.#realm = realm;
    this.fabric = fabric;
    this.ending = this.#end();
  }

  get visits(): readonly Visit[] {
    return this.fabric.visits;
  }

  /** The agent of the gateway asks for the MAC of its destination, and sends it there. */
  #resolved(visit: number, packet: Microflow): Ending {
    const { look } = this.#realm.at(this.visits[visit]!.datapath_uuid)!;
    const segment = String(register(packet, 'segment'));
    const [network] = look.all(networksByKey, segment);
    const dst = addressesIn(packet)?.dst;
    const physical_network = (network && physicalNameOf(network)) ?? '';
    return { kind: 'outside', visit, physical_network, neighbor: dst && formatIp(dst), packet };
  }

  /** Flows answer questions for MACs, and pings; what else comes back is sent by somebody to another address of its own. */
  #isAnswer({ output: { packet } }: Delivered): boolean {
    const { eth_type, nw_proto, icmp_type, icmpv6_type } = this.visits[0]!.packet;
    if (eth_type === ETH_TYPE.arp) return true;
    const isIcmp = nw_proto === IP_PROTO.icmp || nw_proto === IP_PROTO.icmpv6;
    return isIcmp && packet.number('icmp_type') !== Number(icmp_type ?? icmpv6_type);
  }

  #end(): Ending {
    const { visits, delivered, lost } = this.fabric;
    for (const [visit, { trace }] of visits.entries()) {
      const [undecided] = trace.undecided;
      if (undecided !== undefined) return { kind: 'undecidable', visit, why: undecided.why };
    }
    const out = delivered.find(({ output }) => !output.to_in_port);
    if (out !== undefined) {
      const { visit, output } = out;
      const site = this.#realm.at(out.datapath_uuid);
      const physical_network = site?.physicalAt(output.port);
      if (physical_network !== undefined) {
        const neighbor = site?.neighborWith(output.packet.number('eth_dst'));
        return { kind: 'outside', visit, physical_network, neighbor, packet: output.packet };
      }
      return { kind: 'delivered', visit, interface_uuid: site?.interfaceAt(output.port) ?? null, delivered: out };
    }
    const [back] = delivered;
    if (back !== undefined && !this.#isAnswer(back)) {
      const interface_uuid = this.#realm.at(back.datapath_uuid)?.interfaceAt(back.output.port) ?? null;
      return { kind: 'delivered', visit: back.visit, interface_uuid, delivered: back };
    }
    if (back !== undefined) return { kind: 'answered', visit: back.visit, delivered: back };
    for (const [visit, { trace }] of visits.entries())
      for (const punt of trace.punts) {
        const what = punt.implicit || punt.userdata === undefined ? undefined : decodePunt(punt.userdata)?.kind;
        if (what === 'resolve') return this.#resolved(visit, punt.packet);
        // A line in a log is not what becomes of the packet.
        if (what !== undefined && !what.startsWith('log_')) return { kind: 'punted', visit, punt, what };
      }
    for (const [visit, { trace }] of [...visits.entries()].reverse()) {
      const [failed] = trace.errors;
      if (failed !== undefined) return { kind: 'lost', visit, why: failed.why };
      const [drop] = trace.drops;
      if (drop !== undefined) return { kind: 'dropped', visit, drop };
    }
    const [address] = lost;
    return {
      kind: 'lost',
      visit: 0,
      why: address === undefined ? 'the switch does nothing with it' : `no datapath has the underlay address ${address}`,
    };
  }
}
