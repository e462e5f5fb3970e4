/**
 * Who sends, and to whom.
 *
 * Owns: what `source` and `destination` of a question mean in a model.
 * Throws HotoriError `invalid_reference` for what is not there, `invalid_argument` for what cannot be sent, each with its pointer.
 */
import { HotoriError, summaryOf, type Reason } from '../../model/errors.js';
import type { Interface, IpLease, MacLease } from '../../model/entities/interface.js';
import type { Network } from '../../model/entities/network.js';
import { ipKey, vrfKey } from '../../model/indexes.js';
import { physicalNameOf } from '../../model/gateways.js';
import { subnets } from '../../model/subnets.js';
import { entityOf, macLeasesOf, referrers, type ModelView } from '../../model/view.js';
import { cidrContains } from '../../net/cidr.js';
import { formatIp, parseIp, type Ip } from '../../net/ip.js';
import { formatMac, parseMac } from '../../net/mac.js';
import { shortHash } from '../../pipeline/short-hash.js';
import { interfaceName } from './names.js';
import type { TraceQuestion } from './question.js';

/** A NIC with one of its addresses. */
export interface Nic {
  readonly iface: Interface;
  readonly mac: number;
  readonly ip: Ip;
  readonly network: Network;
}

/** A host outside, in a physical network: somebody with an address that nobody here has. Its MAC is made up. */
export interface Outsider {
  readonly iface: undefined;
  readonly mac: number;
  readonly ip: Ip;
  readonly network: Network;
}

export type Sender = Nic | Outsider;

export interface Ends {
  readonly sender: Sender;
  /** Differs from the sender's where the question says so. */
  readonly ip: Ip;
  readonly mac: number;
  readonly target: Ip;
  /** Who has the target address; undefined for one that nobody has. */
  readonly receiver: Nic | undefined;
  /** A host outside that is known to be there, for it has sent what this answers. */
  readonly outsider?: Outsider | undefined;
}

export function endsOf(model: ModelView, question: TraceQuestion): Ends {
  const senders = sendersNamed(model, question);
  const first = senders[0]!.iface;
  if (first?.mode === 'simulated')
    throw refusedAt('source', `${first.uuid} is simulated: nothing is plugged in there that could send`, first.uuid);
  const asked = isUuid(question.destination) ? undefined : addressAt('destination', question.destination);
  const ip = question.source_address === undefined ? undefined : addressAt('source_address', question.source_address);
  const mac = question.source_mac === undefined ? undefined : macAt('source_mac', question.source_mac);
  const own = (sender: Sender) => ({ sender, ip: ip ?? sender.ip, mac: mac ?? sender.mac });
  if (asked !== undefined) {
    const sender = closest(senders, asked);
    if (sender === undefined) throw familyError('destination', first?.uuid, asked.family);
    checkFamily(own(sender).ip, asked);
    return { ...own(sender), target: asked, receiver: whoHas(model, asked, sender.network) };
  }
  const receivers = nicsNamed(model, question, 'destination');
  const pair = closestPair(senders, receivers);
  if (pair === undefined) throw familyError('destination', first?.uuid, receivers[0]!.ip.family);
  checkFamily(own(pair[0]).ip, pair[1].ip);
  return { ...own(pair[0]), target: pair[1].ip, receiver: pair[1] };
}

/** Whoever has an address, seen from a network: in it, else in a network of its routing domain. */
export function whoHas(model: ModelView, ip: Ip, from: Network): Nic | undefined {
  const near = nicAt(model, from, ip);
  if (near !== undefined) return near;
  for (const network of networksOfDomain(model, from)) {
    const found = subnets(network).some(({ cidr }) => cidrContains(cidr, ip)) ? nicAt(model, network, ip) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Every address of an interface, IPv4 first. */
export function nicsOf(model: ModelView, iface: Interface): Nic[] {
  const macs = macLeasesOf(model, iface.uuid);
  return [...referrers(model, 'ip_lease', iface.uuid)].sort(inOrder).flatMap((lease) => nicOf(model, iface, lease, macs) ?? []);
}

function* networksOfDomain(model: ModelView, { vrf_key }: Network): Generator<Network> {
  for (const uuid of model.lookup(vrfKey(vrf_key))) {
    const network = entityOf(model, 'network', uuid);
    if (network !== undefined) yield network;
  }
}

function nicAt(model: ModelView, network: Network, ip: Ip): Nic | undefined {
  for (const uuid of model.lookup(ipKey(network.uuid, formatIp(ip)))) {
    const lease = entityOf(model, 'ip_lease', uuid);
    const iface = entityOf(model, 'interface', lease?.interface_uuid ?? null);
    if (lease !== undefined && iface !== undefined) return nicOf(model, iface, lease, macLeasesOf(model, iface.uuid));
  }
  return undefined;
}

function nicOf(model: ModelView, iface: Interface, lease: IpLease, macs: readonly MacLease[]): Nic | undefined {
  const network = entityOf(model, 'network', lease.network_uuid);
  const mac = lease.mac_lease_uuid === null ? macs[0] : macs.find(({ uuid }) => uuid === lease.mac_lease_uuid);
  if (network === undefined || mac === undefined) return undefined;
  return { iface, mac: parseMac(mac.mac_address), ip: parseIp((lease.ipv4_address ?? lease.ipv6_address)!), network };
}

type Field = 'source' | 'destination';

/** At least one. */
function nicsNamed(model: ModelView, question: TraceQuestion, field: Field): readonly Nic[] {
  const { [field]: text, family } = question;
  const at = text.indexOf('@');
  if (at >= 0) return [nicNamedByAddress(model, text, at, field)];
  const iface = entityOf(model, 'interface', text);
  if (iface === undefined) {
    if (isUuid(text)) throw notThere(field, `there is no interface ${text}`, text);
    throw refusedAt(field, field === 'source' ? 'must be an interface, or ADDRESS@NETWORK' : 'must be an interface or an address');
  }
  const nics = nicsOf(model, iface);
  if (nics.length === 0) throw refusedAt(field, `${iface.uuid} has no MAC with an address`, iface.uuid);
  const fit = family === undefined ? nics : nics.filter(({ ip }) => ip.family === family);
  if (fit.length === 0) throw refusedAt(field, `${iface.uuid} has no ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address`, iface.uuid);
  return fit;
}

/** As nicsNamed; an address of a physical network that nobody here has is that of a host outside. */
function sendersNamed(model: ModelView, question: TraceQuestion): readonly Sender[] {
  const { source } = question;
  const at = source.indexOf('@');
  const network = at < 0 ? undefined : entityOf(model, 'network', source.slice(at + 1));
  if (network === undefined || physicalNameOf(network) === undefined) return nicsNamed(model, question, 'source');
  const ip = addressAt('source', source.slice(0, at));
  return [nicAt(model, network, ip) ?? outsiderAt(network, ip)];
}

/** Locally administered. */
const OUTSIDERS = 0x0e4b * 2 ** 32;

export function outsiderAt(network: Network, ip: Ip): Outsider {
  return { iface: undefined, mac: OUTSIDERS + shortHash(formatIp(ip)), ip, network };
}

function nicNamedByAddress(model: ModelView, text: string, at: number, field: Field): Nic {
  const ip = addressAt(field, text.slice(0, at));
  const uuid = text.slice(at + 1);
  const network = entityOf(model, 'network', uuid);
  if (network === undefined) throw notThere(field, `there is no network ${uuid}`, uuid);
  const nic = nicAt(model, network, ip);
  if (nic === undefined) throw notThere(field, `nobody has ${formatIp(ip)} in ${uuid}`);
  return nic;
}

const isUuid = (text: string) => text.startsWith('if-') || text.includes('@');

/** The address that the sender would take: of the family, in the network of the destination if there is one. */
function closest(senders: readonly Sender[], target: Ip): Sender | undefined {
  const able = senders.filter(({ ip }) => ip.family === target.family);
  return able.find(({ network }) => subnets(network).some(({ cidr }) => cidrContains(cidr, target))) ?? able[0];
}

function closestPair(senders: readonly Sender[], receivers: readonly Nic[]): readonly [Sender, Nic] | undefined {
  const pairs = senders.flatMap((a) => receivers.filter((b) => a.ip.family === b.ip.family).map((b) => [a, b] as const));
  const near = (isNear: (a: Network, b: Network) => boolean) => pairs.find(([a, b]) => isNear(a.network, b.network));
  return near((a, b) => a.uuid === b.uuid) ?? near((a, b) => a.vrf_key === b.vrf_key) ?? pairs[0];
}

/** IPv4 first, then the first made. */
function inOrder(a: IpLease, b: IpLease): number {
  if ((a.ipv4_address === null) !== (b.ipv4_address === null)) return a.ipv4_address === null ? 1 : -1;
  if (a.created_at !== b.created_at) return a.created_at < b.created_at ? -1 : 1;
  return a.uuid < b.uuid ? -1 : 1;
}

export function addressAt(field: keyof TraceQuestion, text: string): Ip {
  try {
    return parseIp(text);
  } catch {
    throw refusedAt(field, `${JSON.stringify(text)} is no IPv4 or IPv6 address`);
  }
}

function macAt(field: keyof TraceQuestion, text: string): number {
  try {
    return parseMac(text);
  } catch {
    throw refusedAt(field, `${JSON.stringify(text)} is no MAC address such as ${formatMac(0x0200_0000_0001)}`);
  }
}

function checkFamily(source: Ip, target: Ip): void {
  if (source.family !== target.family)
    throw refusedAt('source_address', `${formatIp(source)} and ${formatIp(target)} are not of one family`);
}

function familyError(field: Field, uuid: string | undefined, family: Ip['family']): HotoriError {
  return refusedAt(field, `is ${family === 'ipv4' ? 'IPv4' : 'IPv6'}, and ${uuid ?? 'the sender'} has no such address`, uuid);
}

export function refusedAt(field: keyof TraceQuestion, detail: string, uuid?: string): HotoriError {
  return error('invalid_argument', { pointer: `/${field}`, detail, uuid });
}

function notThere(field: Field, detail: string, uuid?: string): HotoriError {
  return error('invalid_reference', { pointer: `/${field}`, detail, uuid });
}

function error(code: 'invalid_argument' | 'invalid_reference', reason: Reason): HotoriError {
  return new HotoriError(code, summaryOf([reason]), { reasons: [reason] });
}

/** Who sends, for people. */
export function senderName({ iface, ip }: Sender): string {
  return iface === undefined ? `${formatIp(ip)} outside` : interfaceName(iface);
}

/** Whether an interface has an address, or everything there is: one without addresses may have any. */
export function endingIn(model: ModelView, interfaceUuid: string, target: Ip): boolean {
  const iface = entityOf(model, 'interface', interfaceUuid);
  const nics = iface === undefined ? [] : nicsOf(model, iface);
  return nics.length === 0 || nics.some(({ ip }) => ip.family === target.family && ip.value === target.value);
}
