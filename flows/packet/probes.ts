/**
 * The frames hosts send: what a trace or a test injects.
 */
import { parseIpv6, solicitedNode, type Ip } from '../net/ip.js';
import { BROADCAST_MAC, ipv6MulticastMac } from '../net/mac.js';
import { ARP_OP, encodeArp } from './arp.js';
import { concatBytes, viewOf } from './bytes.js';
import type { IpEnds } from './checksum.js';
import { encodeDhcp, type DhcpMessage, type DhcpOption } from './dhcpv4.js';
import { DHCP_OPTION, DHCP_TYPE, ipv4Option, uint8Option } from './dhcpv4-options.js';
import { encodeEthernet } from './ethernet.js';
import { encodeIcmpv4, encodeIcmpv6 } from './icmp.js';
import { encodeIpFrame, type Envelope } from './ip-frame.js';
import { encodeNd, type NdMessage, type NdOption } from './nd.js';
import { ETH_TYPE, ICMPV4_TYPE, ICMPV6_TYPE, IP_PROTOCOL, UDP_PORT } from './numbers.js';
import { encodeTcp, TCP_FLAG } from './tcp.js';
import { encodeUdp } from './udp.js';

const ALL_NODES = parseIpv6('ff02::1');
const ALL_ROUTERS = parseIpv6('ff02::2');
const BROADCAST_IPV4 = 0xffff_ffff;
const ND_HOP_LIMIT = 255;

/** Broadcast; `spa` 0 is a probe (RFC 5227). */
export function arpRequestFrame({ eth_src, spa, tpa }: { eth_src: number; spa: number; tpa: number }): Uint8Array {
  const payload = encodeArp({ op: ARP_OP.REQUEST, sha: eth_src, spa, tha: 0, tpa });
  return encodeEthernet({ src: eth_src, dst: BROADCAST_MAC, eth_type: ETH_TYPE.ARP, payload });
}

export function echoRequestFrame(
  envelope: Envelope,
  { id = 0, seq = 0, data = new Uint8Array(0) }: { id?: number; seq?: number; data?: Uint8Array } = {},
): Uint8Array {
  const head = new Uint8Array(4);
  viewOf(head).setUint16(0, id);
  viewOf(head).setUint16(2, seq);
  const body = concatBytes([head, data]);
  return envelope.ip.family === 'ipv4'
    ? encodeIpFrame(envelope, IP_PROTOCOL.ICMPV4, encodeIcmpv4({ type: ICMPV4_TYPE.ECHO_REQUEST, code: 0, body }))
    : encodeIpFrame(envelope, IP_PROTOCOL.ICMPV6, encodeIcmpv6({ type: ICMPV6_TYPE.ECHO_REQUEST, code: 0, body }, envelope.ip));
}

export function udpFrame(envelope: Envelope, datagram: { src_port: number; dst_port: number; payload?: Uint8Array }): Uint8Array {
  return encodeIpFrame(envelope, IP_PROTOCOL.UDP, encodeUdp({ payload: new Uint8Array(0), ...datagram }, envelope.ip));
}

export function tcpSynFrame(
  envelope: Envelope,
  { src_port, dst_port, seq = 0 }: { src_port: number; dst_port: number; seq?: number },
): Uint8Array {
  const nothing = new Uint8Array(0);
  const segment = { src_port, dst_port, seq, ack: 0, flags: TCP_FLAG.SYN, window: 0xffff, urgent: 0, options: nothing, payload: nothing };
  return encodeIpFrame(envelope, IP_PROTOCOL.TCP, encodeTcp(segment, envelope.ip));
}

/** To the solicited-node group; `src` `::` is duplicate address detection and carries no link address (RFC 4861 §4.3). */
export function neighborSolicitFrame({ eth_src, src, target }: { eth_src: number; src: bigint; target: bigint }): Uint8Array {
  return multicastNdFrame(eth_src, src, solicitedNode(target), { kind: 'neighbor_solicit', target, options: sourceLink(eth_src, src) });
}

/** To everybody, unasked: who has the address now (RFC 5227 §3; RFC 4861 §7.2.6). */
export function addressAnnouncement(mac: number, ip: Ip): Uint8Array {
  if (ip.family === 'ipv4') return arpRequestFrame({ eth_src: mac, spa: ip.value, tpa: ip.value });
  const options = [{ kind: 'target_link_address', mac }] as const;
  return multicastNdFrame(mac, ip.value, ALL_NODES, {
    kind: 'neighbor_advert',
    router: true,
    solicited: false,
    override: true,
    target: ip.value,
    options,
  });
}

/** To all routers; `src` may be `::`, as a host's first often is. */
export function routerSolicitFrame({ eth_src, src }: { eth_src: number; src: bigint }): Uint8Array {
  return multicastNdFrame(eth_src, src, ALL_ROUTERS, { kind: 'router_solicit', options: sourceLink(eth_src, src) });
}

function sourceLink(mac: number, src: bigint): readonly NdOption[] {
  return src === 0n ? [] : [{ kind: 'source_link_address', mac }];
}

function multicastNdFrame(eth_src: number, src: bigint, dst: bigint, message: NdMessage): Uint8Array {
  const ip: IpEnds = { family: 'ipv6', src, dst };
  return encodeIpFrame(
    { eth_src, eth_dst: ipv6MulticastMac(dst), ip, ttl: ND_HOP_LIMIT },
    IP_PROTOCOL.ICMPV6,
    encodeIcmpv6(encodeNd(message), ip),
  );
}

export interface DhcpProbe {
  readonly chaddr: number;
  readonly xid?: number;
  readonly flags?: number;
  readonly ciaddr?: number;
  readonly requested_address?: number;
  readonly server_id?: number;
  /** Added after the options above. */
  readonly options?: readonly DhcpOption[];
  /** Where it is sent; broadcast from 0.0.0.0 (or `ciaddr`) unless told. */
  readonly eth_dst?: number;
  readonly dst?: number;
}

export function dhcpDiscoverFrame(probe: DhcpProbe): Uint8Array {
  return dhcpFrame(DHCP_TYPE.DISCOVER, probe);
}

export function dhcpRequestFrame(probe: DhcpProbe): Uint8Array {
  return dhcpFrame(DHCP_TYPE.REQUEST, probe);
}

/** @param type One of DHCP_TYPE. */
export function dhcpFrame(type: number, probe: DhcpProbe): Uint8Array {
  const {
    chaddr,
    xid = 0,
    flags = 0,
    ciaddr = 0,
    requested_address,
    server_id,
    options = [],
    eth_dst = BROADCAST_MAC,
    dst = BROADCAST_IPV4,
  } = probe;
  const message: DhcpMessage = {
    op: 'request',
    hops: 0,
    xid,
    secs: 0,
    flags,
    ciaddr,
    yiaddr: 0,
    siaddr: 0,
    giaddr: 0,
    chaddr,
    options: [
      uint8Option(DHCP_OPTION.MESSAGE_TYPE, type),
      ...(requested_address === undefined ? [] : [ipv4Option(DHCP_OPTION.REQUESTED_ADDRESS, requested_address)]),
      ...(server_id === undefined ? [] : [ipv4Option(DHCP_OPTION.SERVER_ID, server_id)]),
      ...options,
    ],
  };
  const ip: IpEnds = { family: 'ipv4', src: ciaddr, dst };
  return udpFrame(
    { eth_src: chaddr, eth_dst, ip },
    { src_port: UDP_PORT.DHCP_CLIENT, dst_port: UDP_PORT.DHCP_SERVER, payload: encodeDhcp(message) },
  );
}
