/**
 * Ethernet II frames with at most one 802.1Q tag.
 *
 * Owns: the frame header. Padding is left in `payload`: the layer above knows its own length.
 * Assumes: no preamble and no FCS, as frames are in packet-ins.
 */
import { getMac, setMac, viewOf } from './bytes.js';
import { decoded, failed, type Decoded } from './decoded.js';
import { ETH_TYPE } from './numbers.js';

export interface EthernetFrame {
  readonly dst: number;
  readonly src: number;
  /** Priority, DEI and VLAN id (16 bits) of the 802.1Q tag, if there is one. */
  readonly vlan_tci?: number | undefined;
  /** From 0x600 on; a length (802.3) is not supported. */
  readonly eth_type: number;
  readonly payload: Uint8Array;
}

const HEADER = 14;
const TAG = 4;
const FIRST_ETH_TYPE = 0x600;

export function decodeEthernet(frame: Uint8Array): Decoded<EthernetFrame> {
  if (frame.length < HEADER) return failed('ethernet', 'truncated');
  const view = viewOf(frame);
  const tagged = view.getUint16(12) === ETH_TYPE.VLAN;
  const header = tagged ? HEADER + TAG : HEADER;
  if (frame.length < header) return failed('ethernet', 'truncated');
  const ethType = view.getUint16(header - 2);
  if (ethType < FIRST_ETH_TYPE) return failed('ethernet', 'unsupported');
  const ends = { dst: getMac(view, 0), src: getMac(view, 6) };
  const rest = { eth_type: ethType, payload: frame.subarray(header) };
  return decoded(tagged ? { ...ends, vlan_tci: view.getUint16(14), ...rest } : { ...ends, ...rest });
}

/** No padding is added: ports of virtual machines take short frames. */
export function encodeEthernet(frame: EthernetFrame): Uint8Array {
  const header = frame.vlan_tci === undefined ? HEADER : HEADER + TAG;
  const bytes = new Uint8Array(header + frame.payload.length);
  const view = viewOf(bytes);
  setMac(view, 0, frame.dst);
  setMac(view, 6, frame.src);
  if (frame.vlan_tci !== undefined) {
    view.setUint16(12, ETH_TYPE.VLAN);
    view.setUint16(14, frame.vlan_tci);
  }
  view.setUint16(header - 2, frame.eth_type);
  bytes.set(frame.payload, header);
  return bytes;
}
