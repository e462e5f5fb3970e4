/**
 * A packet through the tables of several datapaths.
 *
 * Owns: what a tunnel does between two of them: which datapath it leads to, and what of the packet arrives there.
 * Assumes: the underlay carries whatever leaves for an address that a datapath has.
 * Promises: pure but for the conntracks it is handed. Each crossing is one underlay packet; what leaves for an address of none of the datapaths is `lost`.
 */
import type { Encapsulation } from '../model/entities/presence.js';
import { formatIpv4, formatIpv6 } from '../net/ip.js';
import type { FieldName } from '../openflow/fields.js';
import type { FieldValue } from '../openflow/match.js';
import type { Interpreter, TraceOptions } from './interpreter.js';
import type { Conntrack } from './conntrack.js';
import type { FieldRecord, Microflow } from './microflow.js';
import type { Output, Trace } from './result.js';

export interface Site {
  readonly datapath_uuid: string;
  readonly interpreter: Interpreter;
  readonly conntrack?: Conntrack | undefined;
  /** Canonical text. */
  readonly addresses: readonly string[];
  /** Port of each encapsulation. */
  readonly tunnels: ReadonlyMap<Encapsulation, number>;
  /** Port to the bridge of the underlay, and which L2 that is: a frame that leaves there comes to all who are on it. */
  readonly direct?: { readonly port: number; readonly l2: string } | undefined;
}

/** The packet at one datapath. */
export interface Visit {
  readonly datapath_uuid: string;
  readonly packet: FieldRecord;
  readonly trace: Trace;
  /** The visit whose output it came from; absent for the first. */
  readonly from?: number | undefined;
}

export interface Delivered {
  readonly datapath_uuid: string;
  readonly visit: number;
  readonly output: Output;
}

export interface FabricTrace {
  readonly visits: readonly Visit[];
  /** Outputs to ports that are no tunnels, with the datapath they are on, and the visit they are of. */
  readonly delivered: readonly Delivered[];
  /** Underlay addresses that packets left for and nobody has. */
  readonly lost: readonly string[];
}

/** Packets that come in a loop are given up after so many visits. */
const MAX_VISITS = 1024;

/** The datapaths a packet may come to; those that it does not come to need not be made. */
export interface Sites {
  at(datapathUuid: string): Site | undefined;
  /** The one that has an underlay address, canonical text. */
  endingAt(address: string): Site | undefined;
  /** Those on an L2 that may do something with a frame but drop it. */
  sharing(l2: string, frame: Microflow): Iterable<Site>;
}

export function sitesOf(list: readonly Site[]): Sites {
  return {
    at: (uuid) => list.find(({ datapath_uuid }) => datapath_uuid === uuid),
    endingAt: (address) => list.find(({ addresses }) => addresses.includes(address)),
    sharing: (l2) => list.filter(({ direct }) => direct?.l2 === l2),
  };
}

export function traceFabric(among: readonly Site[] | Sites, start: string, packet: FieldRecord, options: TraceOptions = {}): FabricTrace {
  const sites: Sites = 'endingAt' in among ? among : sitesOf(among);
  const visits: Visit[] = [];
  const delivered: Delivered[] = [];
  const lost: string[] = [];
  const pending: { readonly site: Site; readonly packet: FieldRecord; readonly from?: number }[] = [{ site: siteOf(sites, start), packet }];
  for (let next = pending.shift(); next !== undefined && visits.length < MAX_VISITS; next = pending.shift()) {
    const { site, packet: arriving, from } = next;
    const { datapath_uuid, interpreter, conntrack } = site;
    const trace = interpreter.trace(arriving, { ...options, ...(conntrack && { conntrack }) });
    const at = visits.push({ datapath_uuid, packet: arriving, trace, from }) - 1;
    for (const output of trace.outputs) {
      if (site.direct?.port === output.port) {
        for (const other of sites.sharing(site.direct.l2, output.packet)) {
          if (other.datapath_uuid === datapath_uuid || other.direct === undefined) continue;
          pending.push({ site: other, packet: arrivingAt(output.packet, other.direct.port, HEADERS_ONLY), from: at });
        }
        continue;
      }
      const encap = [...site.tunnels].find(([, port]) => port === output.port)?.[0];
      if (encap === undefined) {
        delivered.push({ datapath_uuid, visit: at, output });
        continue;
      }
      const destination = tunnelEnd(output.packet, 'dst');
      const far = sites.endingAt(destination);
      const port = far?.tunnels.get(encap);
      if (far === undefined || port === undefined) lost.push(destination);
      else
        pending.push({ site: far, packet: arrivingAt(output.packet, port, encap === 'geneve' ? WITH_OPTIONS : WITHOUT_OPTIONS), from: at });
    }
  }
  return { visits, delivered, lost };
}

function siteOf(sites: Sites, datapathUuid: string): Site {
  const found = sites.at(datapathUuid);
  if (found === undefined) throw new RangeError(`${datapathUuid} is not among the datapaths`);
  return found;
}

/** The underlay address of one end, canonical text; empty when there is none. */
export function tunnelEnd(packet: Microflow, end: 'src' | 'dst'): string {
  const v4 = packet.number(`tun_${end}`);
  if (v4 !== 0) return formatIpv4(v4);
  const v6 = packet.get(`tun_ipv6_${end}`) as bigint;
  return v6 === 0n ? '' : formatIpv6(v6);
}

/** Registers, metadata and conntrack state are each datapath's own. Only Geneve carries options; a frame without a tunnel nothing but itself. */
const WITH_OPTIONS = /^(reg|xreg|xxreg|metadata$|pkt_mark$|ct_|in_port$|actset_output$)/;
const WITHOUT_OPTIONS = /^(reg|xreg|xxreg|metadata$|pkt_mark$|ct_|in_port$|actset_output$|tun_metadata)/;
const HEADERS_ONLY = /^(reg|xreg|xxreg|metadata$|pkt_mark$|ct_|in_port$|actset_output$|tun_)/;

/** @param staysBehind Fields that do not go along. */
function arrivingAt(packet: Microflow, inPort: number, staysBehind: RegExp): FieldRecord {
  const fields = (Object.entries(packet.toFields()) as [FieldName, FieldValue][]).filter(([field]) => !staysBehind.test(field));
  return { ...Object.fromEntries(fields), in_port: inPort };
}
