/**
 * NXT_CT_FLUSH on the wire (nicira-ext.h of Open vSwitch 3.1): nested properties, addresses always 16 bytes, IPv4 mapped into IPv6,
 * 16-bit values padded to 4 bytes.
 */
import { OF_ERRORS } from './errors.js';
import type { CtFlushMessage, CtTuple, UnknownProperty } from './message.js';
import { eachProperty, property, unknownProperties } from './property.js';
import { exactly, fail, need, slice, u128 } from './read.js';
import type { Writer } from './writer.js';

const OF = OF_ERRORS.bad_request_len;
const ORIGINAL = 0;
const REPLY = 1;
const ZONE = 2;
const IPV4_MAPPED = 0xffffn;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function decodeCtFlush(view: DataView, o: number, end: number): CtFlushMessage {
  need(o, end, 8, 'a conntrack flush', OF);
  const message: Mutable<CtFlushMessage> = { kind: 'ct_flush', ip_proto: view.getUint8(o) };
  const unknown: UnknownProperty[] = [];
  eachProperty(view, o + 8, end, (type, from, to) => {
    if (type === ORIGINAL) message.original = decodeTuple(view, from, to);
    else if (type === REPLY) message.reply = decodeTuple(view, from, to);
    else if (type === ZONE) {
      need(from, to, 2, 'a zone', OF);
      message.zone = view.getUint16(from);
    } else unknown.push({ type, data: slice(view, from, to) });
  });
  if (unknown.length > 0) message.unknown = unknown;
  return message;
}

function decodeTuple(view: DataView, from: number, to: number): CtTuple {
  const tuple: Mutable<CtTuple> = {};
  // The nested properties start on the next multiple of 8.
  need(from, to, 4, 'a tuple', OF);
  eachProperty(view, from + 4, to, (type, at, stop) => {
    switch (type) {
      case 0:
      case 1: {
        exactly(at, stop, 16, 'an address', OF);
        const address = u128(view, at);
        const isIpv4 = address >> 32n === IPV4_MAPPED;
        const ipv4 = isIpv4 ? view.getUint32(at + 12) : undefined;
        const ipv6 = isIpv4 ? undefined : address;
        if (type === 0) {
          tuple.ipv4_src = ipv4;
          tuple.ipv6_src = ipv6;
        } else {
          tuple.ipv4_dst = ipv4;
          tuple.ipv6_dst = ipv6;
        }
        return;
      }
      case 2:
      case 3:
      case 4:
        need(at, stop, 2, 'a port or ICMP id', OF);
        tuple[type === 2 ? 'src_port' : type === 3 ? 'dst_port' : 'icmp_id'] = view.getUint16(at);
        return;
      case 5:
      case 6:
        need(at, stop, 1, 'an ICMP type or code', OF);
        tuple[type === 5 ? 'icmp_type' : 'icmp_code'] = view.getUint8(at);
        return;
      default:
        fail('bad_value', at, 'a tuple property of 0 to 6', OF);
    }
  });
  return tuple;
}

export function encodeCtFlush(w: Writer, message: CtFlushMessage): void {
  const { original, reply, zone } = message;
  w.u8(message.ip_proto);
  w.zeros(7);
  if (original !== undefined) property(w, ORIGINAL, () => encodeTuple(w, original));
  if (reply !== undefined) property(w, REPLY, () => encodeTuple(w, reply));
  if (zone !== undefined) property(w, ZONE, () => w.u32((zone << 16) >>> 0));
  unknownProperties(w, message.unknown);
}

function encodeTuple(w: Writer, tuple: CtTuple): void {
  w.u32(0);
  const address = (type: number, ipv4: number | undefined, ipv6: bigint | undefined): void => {
    const value = ipv6 ?? (ipv4 === undefined ? undefined : (IPV4_MAPPED << 32n) | BigInt(ipv4));
    if (value !== undefined) property(w, type, () => w.u128(value));
  };
  const number = (type: number, size: 1 | 2, value: number | undefined): void => {
    if (value !== undefined) property(w, type, () => (size === 1 ? w.u8(value) : w.u32((value << 16) >>> 0)));
  };
  address(0, tuple.ipv4_src, tuple.ipv6_src);
  address(1, tuple.ipv4_dst, tuple.ipv6_dst);
  number(2, 2, tuple.src_port);
  number(3, 2, tuple.dst_port);
  number(4, 2, tuple.icmp_id);
  number(5, 1, tuple.icmp_type);
  number(6, 1, tuple.icmp_code);
}
