/**
 * Whom a sender hands a packet to.
 *
 * Owns: the choice between the destination and a router, as a host makes it, and the question for the MAC of that, asked of the compiled flows.
 */
import { gatewaysOf } from '../../model/gateways.js';
import { ipKey } from '../../model/indexes.js';
import { referrerKey } from '../../model/references.js';
import { entityOf, referrers } from '../../model/view.js';
import type { Network } from '../../model/entities/network.js';
import { subnets } from '../../model/subnets.js';
import { cidrContains } from '../../net/cidr.js';
import { formatIp, parseIp, type Ip } from '../../net/ip.js';
import { routerPortsOfSegment } from '../../pipeline/indexes.js';
import { addressAt, outsiderAt, senderName, type Ends, type Sender } from './ends.js';
import { originsOf, type Origin } from './origin.js';
import { whoIs } from './packet.js';
import { Experiment } from './passage.js';
import type { Realm, RealmSite } from './realm.js';
import { judge, type Judgement } from './reason.js';

/** Bytes of what asks and of what answers. */
export const ASK_SIZE = 72;

/** A judgement before any packet is sent. */
function early(verdict: Judgement['verdict'], code: string, text: string, uuids: readonly string[]): Judgement {
  return { verdict, reason: { code, text, uuids: [...uuids], datapath_uuid: null, table: null, cookie: null, told: null, nearest: null } };
}

/** What becomes of whatever this one sends. */
export function notPlugged(sender: Sender): Judgement {
  const uuids = sender.iface === undefined ? [] : [sender.iface.uuid];
  return early('dropped', 'source_not_plugged', `${senderName(sender)} is plugged in nowhere: it cannot send`, uuids);
}

export interface NextHop extends Origin {
  readonly ip: Ip;
  readonly mac: number;
  readonly interface_uuid: string | null;
}

/** Whom the sender hands the packet to, or why to nobody. @param known what was answered before, to be asked no more; it is added to */
export function nextHopOf(
  realm: Realm,
  ends: Ends,
  asked: string | undefined,
  assumptions: string[],
  known?: Map<string, NextHop>,
): NextHop | Judgement {
  const { sender, target } = ends;
  const given = asked === undefined ? undefined : addressAt('next_hop', asked);
  const isNear = subnets(sender.network).some(({ cidr }) => cidr.family === target.family && cidrContains(cidr, target));
  const place = sender.iface && realm.placeOf(sender.iface.uuid);
  if (sender.iface !== undefined && place === undefined) return notPlugged(sender);
  const router = isNear ? undefined : routerFor(realm, sender, place && realm.at(place.datapath_uuid), target.family);
  const ip = given ?? (isNear ? target : router);
  if (ip === undefined) {
    const text = `${formatIp(target)} is not in ${sender.network.uuid}, and no router is there that ${senderName(sender)} could send it to`;
    return early('dropped', 'no_router', text, [sender.network.uuid]);
  }
  if (given === undefined && router !== undefined) {
    const how = sender.iface === undefined ? 'the host outside sends it to' : "the sender's router is";
    assumptions.push(`${how} ${formatIp(ip)}${sender.iface === undefined ? '' : ', as DHCP and router advertisements tell it'}`);
  }
  const asking = `${sender.iface?.uuid ?? sender.network.uuid} ${formatIp(sender.ip)} ${formatIp(ip)}`;
  const before = known?.get(asking);
  if (before !== undefined) return before;
  const found = askedFor(realm, ends, ip, isNear, assumptions);
  if (!('verdict' in found)) known?.set(asking, found);
  return found;
}

/** It asks with its own address whatever the packet says of itself. */
function askedFor(realm: Realm, ends: Ends, ip: Ip, isNear: boolean, assumptions: string[]): NextHop | Judgement {
  const { sender } = ends;
  let refusal: Judgement | undefined;
  for (const { site, in_port } of originsOf(realm, sender, ip)) {
    const inquiry = new Experiment(realm).send(site.datapath_uuid, whoIs(in_port, sender.mac, sender.ip, ip), ASK_SIZE);
    const { ending } = inquiry;
    if (ending.kind === 'answered') {
      const answer = ending.delivered.output.packet;
      return { site, in_port, ip, mac: answer.number('eth_src'), interface_uuid: holderOf(realm, site, sender, ip) };
    }
    if (sender.iface === undefined) continue;
    if (inquiry.fabric.delivered.some(({ datapath_uuid, output }) => realm.at(datapath_uuid)?.physicalAt(output.port) !== undefined)) {
      assumptions.push(`${formatIp(ip)}, which nobody here has, answers for its MAC in ${sender.network.uuid}`);
      return { site, in_port, ip, mac: outsiderAt(sender.network, ip).mac, interface_uuid: null };
    }
    const judgement = judge(realm, inquiry, { ...ends, target: ip, receiver: isNear ? ends.receiver : undefined });
    if (ending.kind === 'delivered') {
      const text = `it depends on who answers for ${formatIp(ip)}: the question leaves ${site.datapath_uuid}, and what is out there is not known here`;
      return { verdict: 'undecidable', reason: { ...judgement.reason, code: 'unanswered', text } };
    }
    refusal = { ...judgement, verdict: judgement.verdict === 'undecidable' ? 'undecidable' : 'dropped' };
  }
  if (refusal !== undefined) return refusal;
  if (sender.iface !== undefined) return notPlugged(sender);
  const nobody = `no hypervisor answers for ${formatIp(ip)} in ${sender.network.uuid}: what becomes of it is outside's own affair`;
  return early('undecidable', 'unanswered', nobody, [sender.network.uuid]);
}

/** The router that DHCP tells, or the gateway by which one outside comes in: the lowest address of one in the sender's network. */
function routerFor(realm: Realm, sender: Sender, site: RealmSite | undefined, family: Ip['family']): Ip | undefined {
  const addresses = sender.iface === undefined ? gatewayAddresses(realm, sender.network) : routerAddresses(site, sender.network);
  return [...addresses].filter((ip) => ip.family === family).sort((a, b) => (a.value < b.value ? -1 : 1))[0];
}

function* routerAddresses(site: RealmSite | undefined, { uuid, segment_key }: Network): Generator<Ip> {
  for (const { router_key, addresses } of site?.look.all(routerPortsOfSegment, String(segment_key)) ?? [])
    if (router_key !== 0) for (const { ip, network_uuid } of addresses) if (network_uuid === uuid) yield ip;
}

function* gatewayAddresses({ model }: Realm, { uuid }: Network): Generator<Ip> {
  for (const { interface_uuid, ipv4_address, ipv6_address } of referrers(model, 'ip_lease', uuid)) {
    const port = entityOf(model, 'interface', interface_uuid);
    if (port !== undefined && gatewaysOf(port).length > 0 && model.count(referrerKey('route', port.uuid)) > 0)
      yield parseIp((ipv4_address ?? ipv6_address)!);
  }
}

function holderOf(realm: Realm, site: RealmSite, { network }: Sender, ip: Ip): string | null {
  for (const uuid of realm.model.lookup(ipKey(network.uuid, formatIp(ip)))) {
    const lease = entityOf(realm.model, 'ip_lease', uuid);
    if (lease?.interface_uuid != null) return lease.interface_uuid;
  }
  return (
    site.look.all(routerPortsOfSegment, String(network.segment_key)).find((port) => port.addresses.some((own) => own.ip.value === ip.value))
      ?.interface_uuid ?? null
  );
}
