/**
 * DHCPv4 answers as frames.
 *
 * Owns: options and their order, the size of a message, and where it is sent (RFC 2131 §4.1, §4.3.1).
 * Promises: an option the client asked for comes before one it did not; when a message would be longer than the client takes, options are left out from the
 * end of that order, never those a lease cannot be used without.
 */
import { broadcastOf, ipv4Mask, type Ipv4Cidr } from '../../flows/net/cidr.js';
import { BROADCAST_MAC } from '../../flows/net/mac.js';
import { DHCP_BROADCAST_FLAG, encodeDhcp, encodedOptionLength, type DhcpMessage, type DhcpOption } from '../../flows/packet/dhcpv4.js';
import {
  classlessRoutesOption,
  DHCP_OPTION,
  DHCP_TYPE,
  findOption,
  ipv4Option,
  textOption,
  uint16Of,
  uint16Option,
  uint32Option,
  uint8Option,
} from '../../flows/packet/dhcpv4-options.js';
import { encodeIpFrame } from '../../flows/packet/ip-frame.js';
import { IP_PROTOCOL, UDP_PORT } from '../../flows/packet/numbers.js';
import { encodeUdp } from '../../flows/packet/udp.js';
import type { DhcpLease } from './contract.js';

const BROADCAST = 0xffff_ffff;
const EVERYWHERE: Ipv4Cidr = { family: 'ipv4', network: 0, prefix: 0 };

/** Longest IP packet a client must take (RFC 2131 §2), and the longest one is sent whatever the client takes. */
const MIN_MAX_SIZE = 576;
const MAX_SIZE = 1500;
const IP_AND_UDP = 28;
const BOOTP_AND_COOKIE = 240;
const END = 1;

interface Destination {
  readonly mac: number;
  readonly address: number;
}

export function offer(request: DhcpMessage, lease: DhcpLease): Uint8Array {
  const reply = compose(request, lease, {
    type: DHCP_TYPE.OFFER,
    ciaddr: 0,
    yiaddr: lease.address,
    required: [...leaseTimes(lease), subnetMask(lease)],
    optional: parameters(request, lease),
  });
  return send(reply, lease, destination({ ...request, ciaddr: 0 }, lease.address));
}

export function acknowledgement(request: DhcpMessage, lease: DhcpLease): Uint8Array {
  const reply = compose(request, lease, {
    type: DHCP_TYPE.ACK,
    ciaddr: request.ciaddr,
    yiaddr: lease.address,
    required: [...leaseTimes(lease), subnetMask(lease)],
    optional: parameters(request, lease),
  });
  return send(reply, lease, destination(request, lease.address));
}

/** Answer to INFORM: neither an address nor lease times (RFC 2131 §4.3.5). */
export function informed(request: DhcpMessage, lease: DhcpLease, client: number): Uint8Array {
  const optional = parameters(request, lease);
  const reply = compose(request, lease, {
    type: DHCP_TYPE.ACK,
    ciaddr: request.ciaddr,
    yiaddr: 0,
    required: [subnetMask(lease)],
    optional,
  });
  return send(reply, lease, { mac: request.chaddr, address: client });
}

/** NAK: always broadcast, the client's address being wrong. */
export function refusal(request: DhcpMessage, lease: DhcpLease): Uint8Array {
  const optional = [textOption(DHCP_OPTION.MESSAGE, 'requested address is not leased to this client')];
  const reply = compose(request, lease, { type: DHCP_TYPE.NAK, ciaddr: 0, yiaddr: 0, required: [], optional });
  return send(reply, lease, { mac: BROADCAST_MAC, address: BROADCAST });
}

interface Answer {
  readonly type: number;
  readonly ciaddr: number;
  readonly yiaddr: number;
  readonly required: readonly DhcpOption[];
  /** Most wanted first. */
  readonly optional: readonly DhcpOption[];
}

function compose(request: DhcpMessage, lease: DhcpLease, { type, ciaddr, yiaddr, required, optional }: Answer): DhcpMessage {
  const { xid, flags, chaddr } = request;
  const head = [uint8Option(DHCP_OPTION.MESSAGE_TYPE, type), ipv4Option(DHCP_OPTION.SERVER_ID, lease.server_address), ...required];
  // The client id comes back as it was sent (RFC 6842), and so does what a relay put in, at the end (RFC 3046 §2.2).
  const tail = [findOption(request, DHCP_OPTION.CLIENT_ID), findOption(request, DHCP_OPTION.RELAY_AGENT)].filter(
    (option) => option !== undefined,
  );
  const options = [...head, ...fitting(optional, optionRoom(request) - lengthOf(head) - lengthOf(tail)), ...tail];
  return { op: 'reply', hops: 0, xid, secs: 0, flags, ciaddr, yiaddr, siaddr: 0, giaddr: 0, chaddr, options };
}

function leaseTimes({ lease_seconds }: DhcpLease): readonly DhcpOption[] {
  return [
    uint32Option(DHCP_OPTION.LEASE_TIME, lease_seconds),
    uint32Option(DHCP_OPTION.RENEWAL_TIME, Math.floor(lease_seconds / 2)),
    uint32Option(DHCP_OPTION.REBINDING_TIME, Math.floor((lease_seconds * 7) / 8)),
  ];
}

/** Before all parameters: it must precede the router (RFC 2132 §3.3). */
function subnetMask({ network }: DhcpLease): DhcpOption {
  return ipv4Option(DHCP_OPTION.SUBNET_MASK, ipv4Mask(network.prefix));
}

/** What the client is told of its network. Clients that read classless routes ignore the router option (RFC 3442), so the default route is in both. */
function parameters(request: DhcpMessage, lease: DhcpLease): readonly DhcpOption[] {
  const { network, router, dns_servers, domain_name, mtu } = lease;
  const broadcast = broadcastOf(network);
  const options: DhcpOption[] = [];
  if (router !== undefined) {
    options.push(classlessRoutesOption([{ destination: EVERYWHERE, via: router }]), ipv4Option(DHCP_OPTION.ROUTER, router));
  }
  options.push(uint16Option(DHCP_OPTION.INTERFACE_MTU, mtu));
  if (dns_servers.length > 0) options.push(ipv4Option(DHCP_OPTION.DNS_SERVER, ...dns_servers));
  if (broadcast !== undefined) options.push(ipv4Option(DHCP_OPTION.BROADCAST_ADDRESS, broadcast));
  if (domain_name !== '') options.push(textOption(DHCP_OPTION.DOMAIN_NAME, domain_name));
  const asked = findOption(request, DHCP_OPTION.PARAMETER_LIST)?.data ?? new Uint8Array(0);
  const rank = ({ code }: DhcpOption): number => {
    const index = asked.indexOf(code);
    return index < 0 ? asked.length : index;
  };
  return options.sort((a, b) => rank(a) - rank(b));
}

/** Bytes for options in a message the client takes. */
function optionRoom(request: DhcpMessage): number {
  const size = Math.max(MIN_MAX_SIZE, uint16Of(request, DHCP_OPTION.MAX_MESSAGE_SIZE) ?? 0);
  return Math.min(size, MAX_SIZE) - IP_AND_UDP - BOOTP_AND_COOKIE - END;
}

function fitting(options: readonly DhcpOption[], room: number): readonly DhcpOption[] {
  const kept: DhcpOption[] = [];
  let left = room;
  for (const option of options) {
    left -= encodedOptionLength(option);
    if (left < 0) break;
    kept.push(option);
  }
  return kept;
}

function lengthOf(options: readonly DhcpOption[]): number {
  return options.reduce((sum, option) => sum + encodedOptionLength(option), 0);
}

/** RFC 2131 §4.1: to the address the client has, else by broadcast if it asks for that, else to the address it is getting. */
function destination(request: DhcpMessage, yiaddr: number): Destination {
  if (request.ciaddr !== 0) return { mac: request.chaddr, address: request.ciaddr };
  if ((request.flags & DHCP_BROADCAST_FLAG) !== 0) return { mac: BROADCAST_MAC, address: BROADCAST };
  return { mac: request.chaddr, address: yiaddr };
}

function send(reply: DhcpMessage, { server_mac, server_address }: DhcpLease, { mac, address }: Destination): Uint8Array {
  const ip = { family: 'ipv4', src: server_address, dst: address } as const;
  const datagram = encodeUdp({ src_port: UDP_PORT.DHCP_SERVER, dst_port: UDP_PORT.DHCP_CLIENT, payload: encodeDhcp(reply) }, ip);
  return encodeIpFrame({ eth_src: server_mac, eth_dst: mac, ip }, IP_PROTOCOL.UDP, datagram);
}
