/**
 * Drop reasons in a user's words, with who is responsible.
 *
 * Owns: for each reason that has more to say than its name, what to look at. Others are said as docs/pipeline.md has them.
 */
import { physicalNameOf } from '../../model/gateways.js';
import { macKey, tunnelKey } from '../../model/indexes.js';
import { entityOf } from '../../model/view.js';
import { formatCidr } from '../../net/cidr.js';
import { formatIp, type Ip } from '../../net/ip.js';
import { formatMac } from '../../net/mac.js';
import { pairingOf, type Unpaired } from '../../pipeline/pairing.js';
import { prefixOf } from '../../pipeline/indexes.js';
import type { PuntKind } from '../../pipeline/punt.js';
import type { DropReason } from '../../pipeline/tables.js';
import type { Visit } from '../fabric.js';
import type { Microflow } from '../microflow.js';
import type { NearestRule } from './answer.js';
import { hitIn, type Decider } from './decider.js';
import { nicsOf, whoHas, type Ends, type Nic } from './ends.js';
import { addressesOf, interfaceName, Names, register, routerName } from './names.js';
import { nearestRule, ruleText } from './nearest.js';
import { addressesIn, packetLine } from './packet.js';
import type { Realm, RealmSite } from './realm.js';

export interface DropDetail {
  readonly code: string;
  readonly text: string;
  readonly uuids: readonly string[];
  readonly nearest?: NearestRule | undefined;
}

export interface DropScene {
  readonly realm: Realm;
  readonly site: RealmSite;
  readonly visit: Visit;
  readonly code: DropReason;
  readonly decider: Decider | undefined;
  /** When it was dropped or punted. */
  readonly packet: Microflow;
  readonly ends: Ends;
  /** Where the sender is told. */
  readonly punt: PuntKind | undefined;
}

export function dropDetail(scene: DropScene): DropDetail | undefined {
  const { code } = scene;
  switch (code) {
    case 'egress_policy':
    case 'ingress_policy':
      return denied(scene, code === 'egress_policy' ? 'egress' : 'ingress');
    case 'egress_rule':
    case 'ingress_rule':
      return refusedByRule(scene, code === 'egress_rule' ? 'egress' : 'ingress');
    case 'egress_filter':
    case 'ingress_filter':
      return filtered(scene, code);
    case 'spoof':
    case 'nd_spoof':
      return spoofed(scene);
    case 'no_route':
      return noRoute(scene);
    case 'no_neighbor':
    case 'unknown_arp':
    case 'unknown_mac':
      return nobody(scene);
    case 'blackhole':
    case 'unreachable':
    case 'prohibited':
      return byRoute(scene);
    case 'ttl':
      return expired(scene);
    case 'local_service':
      return noService(scene);
    case 'too_big':
      return tooBig(scene);
    case 'no_tunnel':
      return noTunnel(scene);
    case 'no_physical_port':
      return offPhysical(scene);
    default:
      return undefined;
  }
}

type Direction = 'egress' | 'ingress';

function judgedInterface(
  { site, packet, ends }: DropScene,
  direction: Direction,
): { readonly uuid: string; readonly name: string; readonly groups: readonly string[] } {
  const names = new Names(site.look);
  const iface =
    names.interfaceIn(packet, direction === 'egress' ? 'source_port' : 'destination_port') ??
    (direction === 'egress' ? ends.sender.iface : ends.receiver?.iface);
  return { uuid: iface?.uuid ?? '', name: iface === undefined ? 'it' : interfaceName(iface), groups: iface?.security_group_uuids ?? [] };
}

function denied(scene: DropScene, direction: Direction): DropDetail {
  const { site, visit, code, packet } = scene;
  const { uuid, name, groups } = judgedInterface(scene, direction);
  const policy = hitIn(visit.trace, direction === 'egress' ? 'EG_POLICY' : 'IN_POLICY', site);
  const nearest = nearestRule(direction, groups, policy?.packet ?? packet, site.look);
  const text = `no ${direction} rule of ${name} (${groups.join(', ')}) admits ${packetLine(packet)}`;
  return { code, text, uuids: [uuid, ...groups], nearest };
}

function refusedByRule({ site, visit, code, packet, punt }: DropScene, direction: Direction): DropDetail | undefined {
  const side = punt === 'reject' ? sideOfRule(site, packet) : direction;
  const fact = new Names(site.look).ruleIn(packet, side === 'egress' ? 'egress_rule' : 'ingress_rule');
  const owners = hitIn(visit.trace, side === 'egress' ? 'EG_POLICY' : 'IN_POLICY', site)?.made?.uuids ?? [];
  if (fact === undefined) return undefined;
  const text = `rule ${fact.uuid} of ${fact.security_group_uuid} says so: ${ruleText(fact.rule)}`;
  return { code: side === 'egress' ? 'egress_rule' : code, text, uuids: [...new Set([fact.uuid, fact.security_group_uuid, ...owners])] };
}

/** A reject is punted before anything writes why it is dropped. */
function sideOfRule(site: RealmSite, packet: Microflow): Direction {
  return new Names(site.look).ruleIn(packet, 'ingress_rule') === undefined ? 'egress' : 'ingress';
}

function filtered(scene: DropScene, code: 'egress_filter' | 'ingress_filter'): DropDetail {
  const { uuid, name } = judgedInterface(scene, code === 'egress_filter' ? 'egress' : 'ingress');
  const row = hitIn(scene.visit.trace, code === 'egress_filter' ? 'EG_FILTER' : 'IN_FILTER', scene.site);
  const owners = row?.made?.uuids ?? [];
  const way = code === 'egress_filter' ? 'out' : 'in';
  return { code, text: `the filter of ${name} does not let ${packetLine(scene.packet)} ${way}`, uuids: [...new Set([...owners, uuid])] };
}

function spoofed({ realm, code, packet, ends }: DropScene): DropDetail {
  const { sender } = ends;
  if (sender.iface === undefined)
    return { code, text: `${formatIp(sender.ip)} outside sends with a MAC that is of somebody here`, uuids: [sender.network.uuid] };
  const own = addressesOf(realm.model, sender.iface.uuid);
  const from = addressesIn(packet)?.src;
  const said = `${from === undefined ? 'another address' : formatIp(from)} with ${formatMac(packet.number('eth_src'))}`;
  const text = `${interfaceName(sender.iface)} may send from ${own.join(', ')} with ${formatMac(sender.mac)}, not from ${said}`;
  return { code, text, uuids: [sender.iface.uuid] };
}

function routerOf({ realm, site, packet }: DropScene): { readonly uuid: string; readonly name: string } {
  const link = new Names(site.look).routerIn(packet);
  return link === undefined ? { uuid: '', name: 'the router' } : routerName(link, realm.model);
}

function targetOf({ packet, ends }: DropScene): Ip {
  return addressesIn(packet)?.dst ?? ends.target;
}

function noRoute(scene: DropScene): DropDetail {
  const { uuid, name } = routerOf(scene);
  return { code: 'no_route', text: `${name} has no route to ${formatIp(targetOf(scene))}`, uuids: uuid === '' ? [] : [uuid] };
}

/** Nobody has the address, or whoever has it is plugged nowhere. */
function nobody(scene: DropScene): DropDetail {
  const { realm, site, code, packet, ends } = scene;
  const target = targetOf(scene);
  const networks = new Names(site.look).networksIn(packet);
  const near = code === 'unknown_mac' ? ownerOf(scene) : undefined;
  const holder = near ?? networks.map((network) => whoHas(realm.model, target, network)).find((nic) => nic !== undefined) ?? ends.receiver;
  const where = networks.map(({ uuid }) => uuid).join(', ');
  if (holder === undefined)
    return {
      code,
      text: `no interface has ${formatIp(target)}${where === '' ? '' : ` in ${where}`}`,
      uuids: networks.map(({ uuid }) => uuid),
    };
  const { iface } = holder;
  if (realm.placeOf(iface.uuid) === undefined)
    return {
      code: 'not_plugged',
      text: `${interfaceName(iface)} has ${formatIp(holder.ip)}, and is plugged in nowhere`,
      uuids: [iface.uuid],
    };
  const text = `${interfaceName(iface)} has ${formatIp(target)} in ${holder.network.uuid}, which ${site.datapath_uuid} does not reach from ${where}`;
  return { code, text, uuids: [iface.uuid, holder.network.uuid] };
}

/** Who has the MAC that it is sent to. */
function ownerOf({ realm: { model }, packet, ends }: DropScene): Nic | undefined {
  for (const uuid of model.lookup(macKey(formatMac(packet.number('eth_dst'))))) {
    const iface = entityOf(model, 'interface', entityOf(model, 'mac_lease', uuid)?.interface_uuid ?? null);
    const nics = iface === undefined ? [] : nicsOf(model, iface);
    const found = nics.find(({ ip }) => ip.family === ends.ip.family) ?? nics[0];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The last route or policy route that was taken. */
function byRoute(scene: DropScene): DropDetail {
  const { realm, site, visit, code } = scene;
  const owners = [hitIn(visit.trace, 'FIB', site), hitIn(visit.trace, 'POLICY_ROUTES', site)].flatMap((hit) => hit?.made?.uuids ?? []);
  const type = code === 'prohibited' ? 'prohibit' : code;
  for (const uuid of owners) {
    const route = realm.model.get(uuid);
    if ((route?.kind !== 'route' && route?.kind !== 'policy_route') || route.type !== type) continue;
    const link = entityOf(realm.model, 'route_link', route.route_link_uuid);
    const router = link === undefined ? { uuid: '', name: 'a router' } : routerName(link, realm.model);
    const what = route.kind === 'route' ? `route ${formatCidr(prefixOf(route))}` : `policy route ${route.priority}`;
    return { code, text: `${what} of ${router.name} (${uuid}) is ${type}`, uuids: [uuid, router.uuid] };
  }
  return { code, text: `a route says ${type}`, uuids: owners };
}

function expired(scene: DropScene): DropDetail {
  const { realm, site, packet, punt, ends } = scene;
  const port = new Names(site.look).arrivalIn(packet);
  const link = entityOf(realm.model, 'route_link', port?.route_link_uuid ?? null);
  const router = link === undefined ? routerOf(scene) : routerName(link, realm.model);
  const quiet = punt === undefined ? ', which does not say so' : '';
  const sent = addressesIn(packet)?.src ?? ends.ip;
  return { code: 'ttl', text: `the TTL of the packet from ${formatIp(sent)} runs out at ${router.name}${quiet}`, uuids: [router.uuid] };
}

function noService(scene: DropScene): DropDetail {
  const { uuid, name } = routerOf(scene);
  return {
    code: 'local_service',
    text: `${formatIp(targetOf(scene))} is ${name} itself, which has no such service`,
    uuids: uuid === '' ? [] : [uuid],
  };
}

function tooBig(scene: DropScene): DropDetail {
  const { packet, ends, realm } = scene;
  const mtu = register(packet, 'overlay_mtu');
  const there = ends.receiver === undefined ? undefined : realm.placeOf(ends.receiver.iface.uuid)?.datapath_uuid;
  const to = there === undefined ? '' : ` to ${there}`;
  return {
    code: 'too_big',
    text: `it is longer than the ${mtu} bytes that the way from ${scene.site.datapath_uuid}${to} carries`,
    uuids: [scene.site.datapath_uuid, ...(there === undefined ? [] : [there])],
  };
}

function offPhysical({ site, packet, code }: DropScene): DropDetail {
  const [network] = new Names(site.look).networksIn(packet);
  const name = network && physicalNameOf(network);
  const named = name === undefined ? 'the physical network that it is for' : `physical network ${name}`;
  const text = `${site.datapath_uuid} is not on ${named}: no bridge_mappings there name it`;
  return { code, text, uuids: [site.datapath_uuid, ...(network === undefined ? [] : [network.uuid])] };
}

const UNPAIRED: Readonly<Record<Unpaired, string>> = {
  no_common_encapsulation: 'they have no encapsulation in common',
  no_common_family: 'they have no addresses of one family',
  encapsulation_not_offered: 'one of them does not offer the encapsulation that their tunnel asks for',
};

function noTunnel({ realm, site, ends }: DropScene): DropDetail {
  const there = ends.receiver === undefined ? undefined : realm.placeOf(ends.receiver.iface.uuid)?.datapath_uuid;
  const uuids = [site.datapath_uuid, ...(there === undefined ? [] : [there])];
  const own = entityOf(realm.model, 'chassis', `ch-${site.datapath_uuid}`);
  const far = there === undefined ? undefined : entityOf(realm.model, 'chassis', `ch-${there}`);
  const text = `there is no way from ${site.datapath_uuid} to ${there ?? 'where it is for'}`;
  if (own === undefined || far === undefined) return { code: 'no_tunnel', text: `${text}: no vna has said where its tunnels end`, uuids };
  const [uuid = null] = realm.model.lookup(tunnelKey({ datapath_uuid: own.datapath_uuid, peer_datapath_uuid: far.datapath_uuid }));
  const pairing = pairingOf(own, far, { tunnel: entityOf(realm.model, 'tunnel', uuid) });
  return { code: 'no_tunnel', text: typeof pairing === 'string' ? `${text}: ${UNPAIRED[pairing]}` : text, uuids };
}
