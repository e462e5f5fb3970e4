/**
 * The hash over the ends of a flow that `multipath` spreads by.
 *
 * Assumes: a switch built without CRC instructions, as distributions build it: Open vSwitch then hashes by murmurhash (lib/hash.h), over words in the byte
 * order of a little-endian machine.
 * Promises: as flow_hash_symmetric_l3l4 (lib/flow.c): the same for both directions of a flow; without ports for later fragments, which have none; 0 for what is
 * not IP.
 */
import { readBits, slot } from './layout.js';
import { FRAG, isIp } from './prerequisite.js';

const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
const IPV6 = 0x86dd;

/** NX_HASH_FIELDS_SYMMETRIC_L3L4 with UDP ports, and without. */
export const SYMMETRIC_L3L4_UDP = 3;
export const SYMMETRIC_L3L4 = 2;

export function symmetricHash(words: Int32Array, basis: number, withUdp: boolean): number {
  if (!isIp(words)) return 0;
  let hash = basis;
  for (const word of addressWords(words)) hash = add(hash, word);
  const protocol = readBits(words, slot('nw_proto'), 0, 8);
  hash = add(hash, protocol);
  const hasPorts = (readBits(words, slot('ip_frag'), 0, 2) & FRAG.later) === 0;
  if (hasPorts && (protocol === PROTOCOLS.tcp || protocol === PROTOCOLS.sctp || (withUdp && protocol === PROTOCOLS.udp))) {
    const ports = readBits(words, slot('tcp_src'), 0, 16) ^ readBits(words, slot('tcp_dst'), 0, 16);
    hash = add(hash, ((ports & 0xff) << 8) | (ports >>> 8));
  }
  return finish(hash ^ basis);
}

/** Source xor destination, in the words and the order the switch has them in. */
function addressWords(words: Int32Array): number[] {
  const isIpv6 = readBits(words, slot('eth_type'), 0, 16) === IPV6;
  const [source, destination] = isIpv6 ? [slot('ipv6_src'), slot('ipv6_dst')] : [slot('ip_src'), slot('ip_dst')];
  const count = isIpv6 ? 4 : 1;
  // The first word in memory holds the highest bits.
  return Array.from({ length: count }, (_, i) => {
    const offset = (count - 1 - i) * 32;
    return swapBytes(readBits(words, source, offset, 32) ^ readBits(words, destination, offset, 32));
  });
}

function swapBytes(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function add(hash: number, data: number): number {
  const mixed = hash ^ Math.imul(rotate(Math.imul(data, 0xcc9e_2d51), 15), 0x1b87_3593);
  return (Math.imul(rotate(mixed, 13), 5) + 0xe654_6b64) | 0;
}

function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85eb_ca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
