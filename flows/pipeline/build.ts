/**
 * Short words to write flows with.
 *
 * Owns: constructors of matches, actions and instructions as the stages use them, and the one way to drop a packet.
 * Promises: nothing here decides anything; masks that cover the whole field are left out.
 */
import { ipv4Mask, ipv6Mask } from '../net/cidr.js';
import type { Ip } from '../net/ip.js';
import type { Action, Instruction } from '../openflow/action.js';
import type { FieldName } from '../openflow/fields.js';
import type { FieldValue, OxmField, Subfield } from '../openflow/match.js';
import { encodePunt, PUNT_CONTROLLER_ID, PUNT_KINDS, type Punt } from './punt.js';
import { regLoad } from './registers.js';
import { DROP_REASONS, TABLES, type DropReason, type TableName } from './tables.js';

export const IN_PORT = 0xffff_fff8;

export const ETH = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
export const PROTO = { icmp: 1, igmp: 2, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;
export const ND = { router_solicit: 133, router_advert: 134, neighbor_solicit: 135, neighbor_advert: 136, redirect: 137 } as const;

/** ct_state bits, ovs-fields(7). */
export const CT = { new: 0x01, est: 0x02, rel: 0x04, rpl: 0x08, inv: 0x10, trk: 0x20 } as const;

/**
 * Bits of ct_mark. `revoked`: admitted once, and no rule admits it any more. `unadmitted`: a filter lets it pass, security groups have not said so.
 * `filter`: opened through a conn row. `persistent`: admitted by a rule whose connections outlive it.
 */
export const CT_MARK = { revoked: 1, unadmitted: 2, filter: 4, persistent: 8 } as const;
export const CT_MARK_PERSISTENT_BIT = 3;

export function is(field: FieldName, value: FieldValue, mask?: FieldValue): OxmField {
  return mask === undefined ? { field, value } : { field, value, mask };
}

export const isIpv4 = is('eth_type', ETH.ipv4);
export const isIpv6 = is('eth_type', ETH.ipv6);
export const isArp = is('eth_type', ETH.arp);
export const isMulticastFrame = is('eth_dst', 0x0100_0000_0000, 0x0100_0000_0000);

export type Family = Ip['family'];
export const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

export function isFamily(family: Family): OxmField {
  return family === 'ipv4' ? isIpv4 : isIpv6;
}

/** Set bits must be one, clear bits zero, the others are free. */
export function ctState(set: number, clear = 0): OxmField {
  return is('ct_state', set, set | clear);
}

/** eth_type and source address under a prefix length (default: the whole address). */
export function fromAddress(ip: Ip, prefix?: number): OxmField[] {
  return address(ip, prefix, 'ip_src', 'ipv6_src');
}

export function toAddress(ip: Ip, prefix?: number): OxmField[] {
  return address(ip, prefix, 'ip_dst', 'ipv6_dst');
}

function address(ip: Ip, prefix: number | undefined, v4: FieldName, v6: FieldName): OxmField[] {
  if (prefix === 0) return [isFamily(ip.family)];
  if (ip.family === 'ipv4') {
    return [
      isIpv4,
      prefix === undefined || prefix === 32 ? is(v4, ip.value) : is(v4, (ip.value & ipv4Mask(prefix)) >>> 0, ipv4Mask(prefix)),
    ];
  }
  return [isIpv6, prefix === undefined || prefix === 128 ? is(v6, ip.value) : is(v6, ip.value & ipv6Mask(prefix), ipv6Mask(prefix))];
}

/** ICMPv6 of one type and code 0, as neighbour discovery requires. */
export function isNd(type: number): OxmField[] {
  return [isIpv6, is('nw_proto', PROTO.icmpv6), is('icmpv6_type', type), is('icmpv6_code', 0)];
}

export function isUdp(family: Family, source?: number, destination?: number): OxmField[] {
  const match = [isFamily(family), is('nw_proto', PROTO.udp)];
  if (source !== undefined) match.push(is('udp_src', source));
  if (destination !== undefined) match.push(is('udp_dst', destination));
  return match;
}

export function set(field: FieldName, value: FieldValue): Action {
  return { kind: 'set_field', field, value };
}

const WIDTHS: Partial<Record<FieldName, number>> = {
  eth_src: 48,
  eth_dst: 48,
  arp_sha: 48,
  arp_tha: 48,
  nd_tll: 48,
  ip_src: 32,
  ip_dst: 32,
  arp_spa: 32,
  arp_tpa: 32,
  ipv6_src: 128,
  ipv6_dst: 128,
  tun_src: 32,
  tun_dst: 32,
  tun_ipv6_src: 128,
  tun_ipv6_dst: 128,
};

function whole(field: FieldName): Subfield {
  return { field, offset: 0, bits: WIDTHS[field]! };
}

/** Copies a whole header field to another of the same width. */
export function copy(from: keyof typeof WIDTHS, to: keyof typeof WIDTHS): Action {
  return { kind: 'move', src: whole(from), dst: whole(to) };
}

/** Exchanges two header fields of the same width. */
export function swap(a: keyof typeof WIDTHS, b: keyof typeof WIDTHS): Action[] {
  return [
    { kind: 'stack_push', subfield: whole(a) },
    { kind: 'stack_push', subfield: whole(b) },
    { kind: 'stack_pop', subfield: whole(a) },
    { kind: 'stack_pop', subfield: whole(b) },
  ];
}

export const toInPort: Action = { kind: 'output', port: IN_PORT };

export function apply(...actions: readonly Action[]): Instruction {
  return { kind: 'apply_actions', actions };
}

/** Thousands of flows share each of these. */
const GOTO = byName(TABLES, ({ id }): Instruction => ({ kind: 'goto_table', table: id }));

export function goto(table: TableName): Instruction {
  return GOTO[table];
}

export function resubmit(table: TableName): Action {
  return { kind: 'resubmit', table: TABLES[table].id };
}

const BECAUSE = byName(DROP_REASONS, ({ code }) => regLoad('drop_reason', code));
const DROP = byName(DROP_REASONS, (_, reason): readonly Instruction[] => [apply(BECAUSE[reason]), GOTO.DROP]);

/** Sends the packet to DROP with its reason, after some last actions; the only way to drop outside that table. */
export function drop(reason: DropReason, ...first: readonly Action[]): readonly Instruction[] {
  return first.length === 0 ? DROP[reason] : [apply(...first, BECAUSE[reason]), GOTO.DROP];
}

function byName<N extends string, T, R>(named: Readonly<Record<N, T>>, make: (value: T, name: N) => R): Readonly<Record<N, R>> {
  return Object.fromEntries(Object.entries<T>(named).map(([name, value]) => [name, make(value, name as N)])) as Record<N, R>;
}

/** Bytes of a punted packet that responders may quote. */
const PUNT_LENGTH = 1500;
/** Headers, and enough of what follows to tell packets apart. */
const LIVE_LENGTH = 192;

export function puntAction(what: Punt): Action {
  return {
    kind: 'controller',
    max_len: what.kind === 'live' ? LIVE_LENGTH : PUNT_LENGTH,
    controller_id: PUNT_CONTROLLER_ID,
    userdata: encodePunt(what),
    meter_id: PUNT_KINDS[what.kind].meter,
  };
}

export function punt(what: Punt): Instruction[] {
  return [apply(puntAction(what))];
}
