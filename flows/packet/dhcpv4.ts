/**
 * DHCPv4 messages (RFC 2131): the BOOTP header and its options.
 *
 * Owns: the message layout. What options mean is dhcpv4-options.ts.
 * Promises: options spread over several instances, or over the `file` and `sname` fields, arrive joined (RFC 3396); encoding splits long ones again.
 */
import { concatBytes, getMac, setMac, viewOf } from './bytes.js';
import { decoded, failed, type Decoded } from './decoded.js';

export interface DhcpOption {
  readonly code: number;
  readonly data: Uint8Array;
}

export interface DhcpMessage {
  readonly op: 'request' | 'reply';
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  /** Bit 15 is the broadcast flag. */
  readonly flags: number;
  readonly ciaddr: number;
  readonly yiaddr: number;
  readonly siaddr: number;
  readonly giaddr: number;
  /** Hardware address: Ethernet only. */
  readonly chaddr: number;
  /** In order of first appearance, each code once. */
  readonly options: readonly DhcpOption[];
}

export const DHCP_BROADCAST_FLAG = 0x8000;

const OP = { request: 1, reply: 2 } as const;
const HARDWARE_ETHERNET = 1;
const MAC_LENGTH = 6;
const CHADDR = 28;
const SNAME = { start: 44, end: 108 } as const;
const FILE = { start: 108, end: 236 } as const;
const COOKIE_OFFSET = 236;
const COOKIE = 0x63825363;
const OPTIONS_OFFSET = 240;
/** Relays and old clients expect at least a BOOTP message (RFC 1542 §2.1). */
const MIN_LENGTH = 300;
const PAD = 0;
const END = 255;
const OVERLOAD = 52;
const OVERLOAD_FILE = 1;
const OVERLOAD_SNAME = 2;
const MAX_INSTANCE = 255;

export function decodeDhcp(bytes: Uint8Array): Decoded<DhcpMessage> {
  if (bytes.length < OPTIONS_OFFSET) return failed('dhcpv4', 'truncated');
  const view = viewOf(bytes);
  const op = view.getUint8(0);
  if (op !== OP.request && op !== OP.reply) return failed('dhcpv4', 'bad_type');
  if (view.getUint8(1) !== HARDWARE_ETHERNET || view.getUint8(2) !== MAC_LENGTH || view.getUint32(COOKIE_OFFSET) !== COOKIE)
    return failed('dhcpv4', 'unsupported');
  const options = decodeOptions(bytes);
  if (!options.ok) return options;
  return decoded({
    op: op === OP.request ? 'request' : 'reply',
    hops: view.getUint8(3),
    xid: view.getUint32(4),
    secs: view.getUint16(8),
    flags: view.getUint16(10),
    ciaddr: view.getUint32(12),
    yiaddr: view.getUint32(16),
    siaddr: view.getUint32(20),
    giaddr: view.getUint32(24),
    chaddr: getMac(view, CHADDR),
    options: options.value,
  });
}

/** Padded to the length of a BOOTP message; `sname` and `file` are empty. */
export function encodeDhcp(message: DhcpMessage): Uint8Array {
  const fixed = new Uint8Array(OPTIONS_OFFSET);
  const view = viewOf(fixed);
  view.setUint8(0, OP[message.op]);
  view.setUint8(1, HARDWARE_ETHERNET);
  view.setUint8(2, MAC_LENGTH);
  view.setUint8(3, message.hops);
  view.setUint32(4, message.xid);
  view.setUint16(8, message.secs);
  view.setUint16(10, message.flags);
  view.setUint32(12, message.ciaddr);
  view.setUint32(16, message.yiaddr);
  view.setUint32(20, message.siaddr);
  view.setUint32(24, message.giaddr);
  setMac(view, CHADDR, message.chaddr);
  view.setUint32(COOKIE_OFFSET, COOKIE);
  const parts = [fixed, ...message.options.map(encodeOption), Uint8Array.of(END)];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return concatBytes([...parts, new Uint8Array(Math.max(0, MIN_LENGTH - length))]);
}

/** Bytes an option takes in a message. */
export function encodedOptionLength({ data }: DhcpOption): number {
  return data.length + 2 * Math.max(1, Math.ceil(data.length / MAX_INSTANCE));
}

function encodeOption({ code, data }: DhcpOption): Uint8Array {
  if (data.length === 0) return Uint8Array.of(code, 0);
  const instances: Uint8Array[] = [];
  for (let offset = 0; offset < data.length; offset += MAX_INSTANCE) {
    const piece = data.subarray(offset, offset + MAX_INSTANCE);
    instances.push(Uint8Array.of(code, piece.length), piece);
  }
  return concatBytes(instances);
}

function decodeOptions(bytes: Uint8Array): Decoded<readonly DhcpOption[]> {
  const pieces = new Map<number, Uint8Array[]>();
  if (!collect(bytes.subarray(OPTIONS_OFFSET), pieces)) return failed('dhcpv4', 'bad_length');
  const overload = pieces.get(OVERLOAD)?.[0]?.[0] ?? 0;
  if ((overload & OVERLOAD_FILE) !== 0 && !collect(bytes.subarray(FILE.start, FILE.end), pieces)) return failed('dhcpv4', 'bad_length');
  if ((overload & OVERLOAD_SNAME) !== 0 && !collect(bytes.subarray(SNAME.start, SNAME.end), pieces)) return failed('dhcpv4', 'bad_length');
  return decoded(Array.from(pieces, ([code, list]) => ({ code, data: list.length === 1 ? list[0]! : concatBytes(list) })));
}

/** False if an option reaches beyond the end. A missing END is forgiven. */
function collect(bytes: Uint8Array, pieces: Map<number, Uint8Array[]>): boolean {
  for (let offset = 0; offset < bytes.length;) {
    const code = bytes[offset]!;
    if (code === END) return true;
    offset += 1;
    if (code === PAD) continue;
    const length = bytes[offset];
    if (length === undefined || offset + 1 + length > bytes.length) return false;
    const data = bytes.subarray(offset + 1, offset + 1 + length);
    const list = pieces.get(code);
    if (list) list.push(data);
    else pieces.set(code, [data]);
    offset += 1 + length;
  }
  return true;
}
