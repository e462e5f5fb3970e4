/**
 * A whole frame around an upper-layer packet, in one step.
 */
import type { IpEnds } from './checksum.js';
import { encodeEthernet } from './ethernet.js';
import { encodeIpv4 } from './ipv4.js';
import { encodeIpv6 } from './ipv6.js';
import { ETH_TYPE } from './numbers.js';

export interface Envelope {
  readonly eth_src: number;
  readonly eth_dst: number;
  readonly ip: IpEnds;
  /** TTL or hop limit; 64 unless told. */
  readonly ttl?: number | undefined;
  /** TOS or traffic class; 0 unless told. */
  readonly tos?: number | undefined;
}

/** Neither fragmented nor, in IPv4, to be fragmented; so the IPv4 id is 0 (RFC 6864 §4.1). */
export function encodeIpFrame({ eth_src, eth_dst, ip, ttl = 64, tos = 0 }: Envelope, protocol: number, payload: Uint8Array): Uint8Array {
  if (ip.family === 'ipv4') {
    const packet = encodeIpv4({
      tos,
      id: 0,
      dont_fragment: true,
      more_fragments: false,
      fragment_offset: 0,
      ttl,
      protocol,
      src: ip.src,
      dst: ip.dst,
      options: new Uint8Array(0),
      payload,
    });
    return encodeEthernet({ src: eth_src, dst: eth_dst, eth_type: ETH_TYPE.IPV4, payload: packet });
  }
  const packet = encodeIpv6({
    traffic_class: tos,
    flow_label: 0,
    next_header: protocol,
    hop_limit: ttl,
    src: ip.src,
    dst: ip.dst,
    payload,
  });
  return encodeEthernet({ src: eth_src, dst: eth_dst, eth_type: ETH_TYPE.IPV6, payload: packet });
}
