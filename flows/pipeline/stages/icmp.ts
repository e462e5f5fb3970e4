/**
 * What routers tell senders.
 *
 * Owns: packets for a router itself, and the tables through which every ICMP error goes.
 * Assumes: who enters ROUTER_SELF addressed a router's own address; who enters ICMP_GATE has its error and a drop reason in registers.
 * Promises: no error about an ICMP error, a later fragment or a multicast (RFC 1812 §4.3.2.7, RFC 4443 §2.4) reaches a controller; of what does, each port
 * has its share. The source address is chosen by whoever answers, from the port in `arrival`.
 */
import type { Action, Instruction } from '../../openflow/action.js';
import type { OxmField } from '../../openflow/match.js';
import { apply, FAMILIES, goto, is, isFamily, isIpv4, isIpv6, PROTO, punt, resubmit, set, swap, toInPort, type Family } from '../build.js';
import { SENDER_METERS, type PuntKind } from '../punt.js';
import { REGISTERS, regField, regLoad, regMatch, regMatchBoth } from '../registers.js';
import { rule, type Emit } from '../rule.js';
import { DROP_REASONS, type DropReason } from '../tables.js';

/** In register `icmp_error`. */
const ERRORS = {
  time_exceeded: 1,
  net_unreachable: 2,
  host_unreachable: 3,
  port_unreachable: 4,
  prohibited: 5,
  protocol_unreachable: 6,
  beyond_scope: 7,
} as const satisfies Partial<Record<PuntKind, number>>;

export type RouterError = keyof typeof ERRORS;

/** TTL of what a router sends itself. */
export const OWN_TTL = 255;

const isLaterFragment = is('ip_frag', 2, 2);
const isWhole = is('ip_frag', 0, 3);

const ECHO = {
  ipv4: { protocol: PROTO.icmp, type: 'icmp_type', code: 'icmp_code', request: 8, reply: 0, addresses: ['ip_src', 'ip_dst'] },
  ipv6: { protocol: PROTO.icmpv6, type: 'icmpv6_type', code: 'icmpv6_code', request: 128, reply: 129, addresses: ['ipv6_src', 'ipv6_dst'] },
} as const;

/** Drops a packet and has its sender told. The drop is counted by reason only where nobody is told. */
export function refuse(error: RouterError, reason: DropReason, ...first: readonly Action[]): Instruction[] {
  return [apply(...first, regLoad('icmp_error', ERRORS[error]), regLoad('drop_reason', DROP_REASONS[reason].code)), goto('ICMP_GATE')];
}

/** As `refuse`, from a table behind those of ICMP. */
export function refuseAfterwards(error: RouterError, reason: DropReason, ...first: readonly Action[]): Instruction[] {
  return [apply(...first, regLoad('icmp_error', ERRORS[error]), reasonOf(reason), resubmit('ICMP_GATE'))];
}

/** Notes that `count` more routers took one from the TTL; a run of collapsed ones that had yet to take its one has done so with the first. */
export function crossed(count: number): Action[] {
  const { field, offset, bits } = REGISTERS.routers_crossed;
  const unpaid = 2 ** REGISTERS.run_unpaid.offset;
  const shift = Math.min(count, bits);
  if (shift === 0) return [];
  const ones = ((2 ** shift - 1) << offset) >>> 0;
  const kept = bits - shift;
  const move: Action[] =
    kept === 0 ? [] : [{ kind: 'move', src: { field, offset, bits: kept }, dst: { field, offset: offset + shift, bits: kept } }];
  return [...move, { kind: 'set_field', field, value: ones, mask: (ones | unpaid) >>> 0 }];
}

export const icmpFlows = rule('icmp', 'pipeline', (_root, _look, emit) => {
  for (const family of FAMILIES) routerSelf(family, emit);
  emit.flow('ROUTER_SELF', 0, [], refuse('protocol_unreachable', 'local_service'));
  gate(emit);
  for (const error of Object.keys(ERRORS) as RouterError[])
    emit.flow('ICMP_ERROR', 100, [regMatch('icmp_error', ERRORS[error])], punt({ kind: error }));
  emit.flow('ICMP_ERROR', 0, [], [goto('DROP')]);
});

function routerSelf(family: Family, emit: Emit): void {
  const { protocol, type, code, request, reply, addresses } = ECHO[family];
  const echo = [isFamily(family), isWhole, is('nw_proto', protocol), is(type, request), is(code, 0)];
  const [source, destination] = addresses;
  const answer = (ttl: number) =>
    apply(...swap('eth_src', 'eth_dst'), ...swap(source, destination), set(type, reply), { kind: 'set_nw_ttl', ttl }, toInPort);
  for (let count = 0; count <= regField('routers_crossed').bits; count++)
    for (const unpaid of [0, 1])
      emit.flow(
        'ROUTER_SELF',
        100,
        [...echo, regMatchBoth('routers_crossed', 2 ** count - 1, 'run_unpaid', unpaid)],
        [answer(OWN_TTL - count - unpaid)],
      );
  // Any other ICMP is for the router to take or to leave, in silence.
  emit.flow('ROUTER_SELF', 50, [isFamily(family), is('nw_proto', protocol)], [apply(reasonOf('local_service')), goto('DROP')]);
  for (const transport of [PROTO.udp, PROTO.tcp])
    emit.flow('ROUTER_SELF', 60, [isFamily(family), is('nw_proto', transport)], refuse('port_unreachable', 'local_service'));
}

/** An ICMP echo request, in a packet of that family. */
export function isEchoRequest(family: Family): OxmField[] {
  const { protocol, type, request } = ECHO[family];
  return [is('nw_proto', protocol), is(type, request)];
}

function reasonOf(reason: DropReason): Action {
  return regLoad('drop_reason', DROP_REASONS[reason].code);
}

/** ICMPv4 types that are errors. */
const ICMPV4_ERRORS = [3, 4, 5, 11, 12];
/** ICMPv6 types that are errors, and redirect; the switch cannot match all below 128 at once. Others are left to whoever would answer. */
const ICMPV6_ERRORS = [1, 2, 3, 4, 137];

function gate(emit: Emit): void {
  const silently = [goto('DROP')];
  for (const family of FAMILIES) emit.flow('ICMP_GATE', 200, [isFamily(family), isLaterFragment], silently);
  for (const type of ICMPV4_ERRORS) emit.flow('ICMP_GATE', 190, [isIpv4, is('nw_proto', PROTO.icmp), is('icmp_type', type)], silently);
  for (const type of ICMPV6_ERRORS) emit.flow('ICMP_GATE', 190, [isIpv6, is('nw_proto', PROTO.icmpv6), is('icmpv6_type', type)], silently);
  const { first, count } = SENDER_METERS;
  const { field } = REGISTERS.source_port;
  for (let i = 0; i < count; i++)
    emit.flow('ICMP_GATE', 100, [is(field, i, count - 1)], [{ kind: 'meter', meter_id: first + i }, goto('ICMP_ERROR')]);
  emit.flow('ICMP_GATE', 0, [], silently);
}
