/**
 * Where packets of a sender come in.
 *
 * Owns: the port of a VM; for a host outside, the ports to its physical network on the hypervisors that may have something to say to it.
 */
import { gatewayOwnerOf, physicalNameOf } from '../../model/gateways.js';
import { ipKey, physicalKey } from '../../model/indexes.js';
import { entityOf, referrers } from '../../model/view.js';
import { formatIp, type Ip } from '../../net/ip.js';
import type { Sender } from './ends.js';
import type { Realm, RealmSite } from './realm.js';

export interface Origin {
  readonly site: RealmSite;
  readonly in_port: number;
}

/** @param asked whom it asks for, and sends to */
export function originsOf(realm: Realm, { iface, network }: Sender, asked: Ip): Origin[] {
  if (iface === undefined) {
    const name = physicalNameOf(network)!;
    const there = new Set(realm.on(name));
    return [...speakersFor(realm, name, asked)].flatMap((uuid) => {
      const site = there.has(uuid) ? realm.at(uuid) : undefined;
      const in_port = site?.portTo(name);
      return site === undefined || in_port === undefined ? [] : [{ site, in_port }];
    });
  }
  const place = realm.placeOf(iface.uuid);
  const site = place && realm.at(place.datapath_uuid);
  const in_port = site?.ofportOf(iface.uuid);
  return site === undefined || in_port === undefined ? [] : [{ site, in_port }];
}

/** Outside hears of a NIC from its own hypervisor alone, of anything else from gateways. */
function speakersFor(realm: Realm, physicalNetwork: string, asked: Ip): Set<string> {
  const { model } = realm;
  const speakers = new Set<string>();
  for (const network of model.lookup(physicalKey(physicalNetwork))) {
    for (const uuid of model.lookup(ipKey(network, formatIp(asked)))) {
      const place = realm.placeOf(entityOf(model, 'ip_lease', uuid)?.interface_uuid ?? '');
      if (place !== undefined) speakers.add(place.datapath_uuid);
    }
    for (const { interface_uuid } of referrers(model, 'ip_lease', network)) {
      const iface = entityOf(model, 'interface', interface_uuid);
      const owner = iface && gatewayOwnerOf(iface);
      if (owner !== undefined) speakers.add(owner);
    }
  }
  return speakers;
}
