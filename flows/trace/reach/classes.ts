/**
 * Interfaces that flows cannot tell apart.
 *
 * Owns: what stands for an interface where the verdict about its packets is concerned: the kind of hypervisor it is plugged in at, its groups, the networks and MACs
 * it has, and who looks at its addresses.
 * Promises: traces between members of two classes have one verdict for one reason, whichever members they are. What is not understood here, because
 * something else refers to the interface or to its addresses, is a class of its own.
 */
import type { Interface } from '../../model/entities/interface.js';
import { linkMacKey, macKey } from '../../model/indexes.js';
import { referencesTo, referrerKey } from '../../model/references.js';
import { macLeasesOf, referrers, type ModelView } from '../../model/view.js';
import { formatIp } from '../../net/ip.js';
import { nicsOf } from '../explain/ends.js';
import type { Realm } from '../explain/realm.js';
import { Marks } from './marks.js';
import { Places } from './places.js';

export interface ReachClass {
  readonly id: number;
  readonly network_uuids: readonly string[];
  readonly security_group_uuids: readonly string[];
  /** Why it has one member and can have no other; null otherwise. */
  readonly alone: string | null;
}

/** Who refers to an interface or a lease without being part of it. interface_ports say where it may be plugged, and that is known. */
const PARTS: readonly string[] = ['mac_lease', 'ip_lease', 'interface_port'];
const STRANGERS = {
  interface: strangersTo('interface'),
  ip_lease: strangersTo('ip_lease'),
  mac_lease: strangersTo('mac_lease'),
};

export class Classes {
  private readonly realm: Realm;
  private readonly marks: Marks;
  private readonly places: Places;
  private readonly classes = new Map<string, ReachClass>();
  private readonly known = new Map<string, ReachClass>();

  /** Of a realm as it is: nothing may change while this is in use. */
  constructor(realm: Realm) {
    this.realm = realm;
    this.marks = new Marks(realm.model);
    this.places = new Places(realm.model);
  }

  of(iface: Interface): ReachClass {
    const before = this.known.get(iface.uuid);
    if (before !== undefined) return before;
    const alone = this.peculiarity(iface) ?? null;
    const signature = alone === null ? this.signature(iface) : iface.uuid;
    let found = this.classes.get(signature);
    if (found === undefined) {
      const networks = nicsOf(this.realm.model, iface).map(({ network }) => network.uuid);
      found = {
        id: this.classes.size,
        network_uuids: [...new Set(networks)],
        security_group_uuids: iface.security_group_uuids,
        alone,
      };
      this.classes.set(signature, found);
    }
    this.known.set(iface.uuid, found);
    return found;
  }

  /** What makes it unlike any other. */
  private peculiarity(iface: Interface): string | undefined {
    const { model } = this.realm;
    if (iface.mode !== 'vif') return `its mode is ${iface.mode}`;
    const stranger = referrerAmong(model, STRANGERS.interface, iface.uuid);
    if (stranger !== undefined) return `a ${stranger} is for it`;
    for (const { uuid, mac_address } of macLeasesOf(model, iface.uuid)) {
      if (model.count(macKey(mac_address)) > 1 || model.count(linkMacKey(mac_address)) > 0) return `${mac_address} is not its alone`;
      const other = referrerAmong(model, STRANGERS.mac_lease, uuid);
      if (other !== undefined) return `a ${other} is for its ${mac_address}`;
    }
    for (const lease of referrers(model, 'ip_lease', iface.uuid)) {
      const other = referrerAmong(model, STRANGERS.ip_lease, lease.uuid);
      if (other !== undefined) return `a ${other} is for its ${lease.ipv4_address ?? lease.ipv6_address}`;
    }
    for (const { ip, network } of nicsOf(model, iface)) {
      const address = formatIp(ip);
      if (this.marks.isShared(network.vrf_key, address)) return `${address} is in several networks of its routing domain`;
      if (this.marks.isSpread(network.vrf_key)) return 'a router of its domain chooses among next hops by addresses';
    }
    return undefined;
  }

  private signature(iface: Interface): string {
    const { model } = this.realm;
    const macs = macLeasesOf(model, iface.uuid);
    const leases = [...referrers(model, 'ip_lease', iface.uuid)];
    const nics = nicsOf(model, iface).map(({ ip, network }) => {
      const lease = leases.find((one) => one.network_uuid === network.uuid && (one.ipv4_address ?? one.ipv6_address) === formatIp(ip));
      const mac = macs.findIndex(({ uuid }) => uuid === lease?.mac_lease_uuid);
      return [ip.family, network.uuid, mac, lease?.enable_routing, this.marks.of(ip)];
    });
    const place = this.realm.placeOf(iface.uuid);
    return JSON.stringify([
      place && this.places.of(place.datapath_uuid),
      iface.security_group_uuids,
      iface.enable_routing,
      iface.enable_route_translation,
      iface.enable_filtering,
      macs.map(({ segment_uuid, mac_shared }) => [segment_uuid, mac_shared]),
      leases.length,
      nics,
    ]);
  }
}

function strangersTo(kind: 'interface' | 'ip_lease' | 'mac_lease') {
  return [...new Set(referencesTo(kind).map(({ from }) => from))].filter((from) => !PARTS.includes(from));
}

function referrerAmong(model: ModelView, kinds: readonly (typeof STRANGERS.interface)[number][], uuid: string): string | undefined {
  return kinds.find((kind) => model.count(referrerKey(kind, uuid)) > 0);
}
