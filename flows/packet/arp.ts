/**
 * ARP for IPv4 over Ethernet (RFC 826).
 */
import { getMac, setMac, viewOf } from './bytes.js';
import { decoded, failed, type Decoded } from './decoded.js';
import { ETH_TYPE } from './numbers.js';

export const ARP_OP = { REQUEST: 1, REPLY: 2 } as const;

export interface ArpPacket {
  readonly op: number;
  readonly sha: number;
  readonly spa: number;
  readonly tha: number;
  readonly tpa: number;
}

const LENGTH = 28;
const HARDWARE_ETHERNET = 1;

export function decodeArp(bytes: Uint8Array): Decoded<ArpPacket> {
  if (bytes.length < LENGTH) return failed('arp', 'truncated');
  const view = viewOf(bytes);
  const lengths = view.getUint16(4);
  if (view.getUint16(0) !== HARDWARE_ETHERNET || view.getUint16(2) !== ETH_TYPE.IPV4 || lengths !== 0x0604)
    return failed('arp', 'unsupported');
  return decoded({ op: view.getUint16(6), sha: getMac(view, 8), spa: view.getUint32(14), tha: getMac(view, 18), tpa: view.getUint32(24) });
}

export function encodeArp(arp: ArpPacket): Uint8Array {
  const bytes = new Uint8Array(LENGTH);
  const view = viewOf(bytes);
  view.setUint16(0, HARDWARE_ETHERNET);
  view.setUint16(2, ETH_TYPE.IPV4);
  view.setUint16(4, 0x0604);
  view.setUint16(6, arp.op);
  setMac(view, 8, arp.sha);
  view.setUint32(14, arp.spa);
  setMac(view, 18, arp.tha);
  view.setUint32(24, arp.tpa);
  return bytes;
}
