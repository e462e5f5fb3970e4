/**
 * Whom a sender hands a packet to.
 *
 * Owns: the choice between the destination and a router, as a host makes it, and the question for the MAC of that, asked of the compiled flows.
 */
import { entityOf } from '../../model/view.js';
import { subnets } from '../../model/subnets.js';
import { cidrContains } from '../../net/cidr.js';
import { formatIp, type Ip } from '../../net/ip.js';
import { routerPortsOfSegment } from '../../pipeline/indexes.js';
import { addressAt, type Ends, type Nic } from './ends.js';
import { interfaceName } from './names.js';
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
export function notPlugged({ iface }: Nic): Judgement {
  return early('dropped', 'source_not_plugged', `${interfaceName(iface)} is plugged in nowhere: it cannot send`, [iface.uuid]);
}

export interface NextHop {
  readonly ip: Ip;
  readonly mac: number;
  readonly interface_uuid: string | null;
}

/** Whom the sender hands the packet to, or why to nobody. @param known what was answered before, to be asked no more; it is added to */
export function nextHopOf(
  realm: Realm,
  site: RealmSite,
  in_port: number,
  ends: Ends,
  asked: string | undefined,
  assumptions: string[],
  known?: Map<string, NextHop>,
): NextHop | Judgement {
  const { sender, target } = ends;
  const given = asked === undefined ? undefined : addressAt('next_hop', asked);
  const isNear = subnets(sender.network).some(({ cidr }) => cidr.family === target.family && cidrContains(cidr, target));
  const router = isNear ? undefined : routerFor(site, sender, target.family);
  const ip = given ?? (isNear ? target : router?.ip);
  if (ip === undefined) {
    const text = `${formatIp(target)} is not in ${sender.network.uuid}, and no router is there that ${interfaceName(sender.iface)} could send it to`;
    return early('dropped', 'no_router', text, [sender.network.uuid]);
  }
  if (given === undefined && router !== undefined)
    assumptions.push(`the sender's router is ${formatIp(ip)}, as DHCP and router advertisements tell it`);
  const asking = `${sender.iface.uuid} ${formatIp(sender.ip)} ${formatIp(ip)}`;
  const before = known?.get(asking);
  if (before !== undefined) return before;
  // It asks with its own address whatever the packet says of itself.
  const inquiry = new Experiment(realm).send(site.datapath_uuid, whoIs(in_port, sender.mac, sender.ip, ip), ASK_SIZE);
  const { ending } = inquiry;
  if (ending.kind === 'answered') {
    const answer = ending.delivered.output.packet;
    const hop = { ip, mac: answer.number('eth_src'), interface_uuid: holderOf(realm, site, sender, ip) };
    known?.set(asking, hop);
    return hop;
  }
  const judgement = judge(realm, inquiry, { ...ends, target: ip, receiver: isNear ? ends.receiver : undefined });
  if (ending.kind === 'delivered') {
    const text = `it depends on who answers for ${formatIp(ip)}: the question leaves ${site.datapath_uuid}, and what is out there is not known here`;
    return { verdict: 'undecidable', reason: { ...judgement.reason, code: 'unanswered', text } };
  }
  return { ...judgement, verdict: judgement.verdict === 'undecidable' ? 'undecidable' : 'dropped' };
}

/** The router that DHCP tells: the lowest address of one in the sender's network. */
function routerFor(site: RealmSite, { network }: Nic, family: Ip['family']): { readonly ip: Ip } | undefined {
  const addresses = site.look
    .all(routerPortsOfSegment, String(network.segment_key))
    .filter(({ router_key }) => router_key !== 0)
    .flatMap((port) => port.addresses)
    .filter(({ ip, network_uuid }) => ip.family === family && network_uuid === network.uuid);
  return addresses.sort((a, b) => (a.ip.value < b.ip.value ? -1 : 1))[0];
}

function holderOf(realm: Realm, site: RealmSite, { network }: Nic, ip: Ip): string | null {
  for (const uuid of realm.model.lookup(`ip:${network.uuid}|${formatIp(ip)}`)) {
    const lease = entityOf(realm.model, 'ip_lease', uuid);
    if (lease?.interface_uuid != null) return lease.interface_uuid;
  }
  return (
    site.look.all(routerPortsOfSegment, String(network.segment_key)).find((port) => port.addresses.some((own) => own.ip.value === ip.value))
      ?.interface_uuid ?? null
  );
}
