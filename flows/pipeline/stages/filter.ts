/**
 * Filters: OpenVNet's rules of one interface.
 *
 * Owns: EG_FILTER_CT to EG_FILTER_CONN, IN_FILTER_CT to IN_FILTER.
 * Assumes: a row is written as seen from outside: source is the peer, destination the interface; towards the sender it is mirrored. Between the rows of an
 * interface no two match the same, unless they are in different filters: then drop comes before pass, and pass before conn.
 * Promises: OpenVNet's order: a longer destination prefix first, then a destination port, then the source likewise; among equals the more special
 * protocol. `conn` opens a connection from the interface, and conntrack brings its replies back; towards the interface it opens nothing. The
 * filter stands next to the interface: what it sends meets the filter before its security groups, what it receives after them.
 */
import { networkIp, parseCidr } from '../../net/cidr.js';
import type { Filter, FilterStatic } from '../../model/entities/filter.js';
import type { Action } from '../../openflow/action.js';
import type { OxmField } from '../../openflow/match.js';
import {
  apply,
  CT,
  CT_MARK,
  ctState,
  drop,
  FAMILIES,
  fromAddress,
  goto,
  is,
  isArp,
  isFamily,
  isIpv4,
  isNd,
  ND,
  PROTO,
  toAddress,
} from '../build.js';
import { filtersOfInterface } from '../indexes.js';
import { regField, regLoad, regMatch } from '../registers.js';
import { rule, type Emit } from '../rule.js';
import { TABLES } from '../tables.js';

const ROWS_FROM = 100;
const SPECIAL: Record<FilterStatic['protocol'], number> = { ip: 0, tcp: 1, udp: 1, icmp: 1, arp: 2 };
const HARSH: readonly FilterStatic['action'][] = ['drop', 'pass', 'conn'];

export const filterFlows = rule('filter', 'local_port', (port, look, emit) => {
  const iface = look.get('interface', port.interface_uuid);
  if (iface === undefined || !iface.enable_filtering) return;
  const filters = look.all(filtersOfInterface, iface.uuid);
  const rows = harshest(filters.flatMap((filter) => filter.statics.map((row) => ({ row, filter }))));
  const opens = rows.some(({ row }) => opensConnections(row));
  const [sends, receives] = [regMatch('source_port', iface.port_key), regMatch('destination_port', iface.port_key)];
  const [out, back] = opens ? (['EG_FILTER_CONN', 'IN_FILTER_CONN'] as const) : (['LOCAL', 'IN_FILTER'] as const);

  emit.owners(iface.uuid, ...filters.map(({ uuid }) => uuid));
  emit.flow('EG_FILTER_CT', 100, [sends], [goto('EG_FILTER')]);
  emit.flow('IN_FILTER_CT', 100, [receives], [goto('IN_FILTER')]);
  if (opens) {
    emit.flow('IN_FILTER_CT', 120, [receives, regMatch('tracked', 1)], [goto(back)]);
    for (const family of FAMILIES) {
      const ask = (zone: 'source_zone' | 'destination_zone', table: 'EG_FILTER' | 'IN_FILTER_CONN') =>
        apply({ kind: 'ct', zone: regField(zone), table: TABLES[table].id });
      emit.flow('EG_FILTER_CT', 110, [sends, isFamily(family)], [ask('source_zone', 'EG_FILTER')]);
      // What is sent to many is no connection.
      emit.flow(
        'IN_FILTER_CT',
        110,
        [receives, isFamily(family), is('eth_dst', 0, 0x0100_0000_0000)],
        [ask('destination_zone', back as 'IN_FILTER_CONN')],
      );
    }
  }
  const refuse = opens ? [goto('EG_FILTER_CONN')] : drop('egress_filter');
  for (const { row, filter } of rows) {
    emit.owners(iface.uuid, filter.uuid);
    const priority = priorityOf(row);
    for (const match of incoming(row))
      if (!opensConnections(row))
        emit.flow('IN_FILTER', priority, [receives, ...match], row.action === 'drop' ? drop('ingress_filter') : [goto('OUT_LOCAL')]);
    for (const match of outgoing(row)) {
      const opening = opensConnections(row) ? [apply(regLoad('opens', 1)), goto(out)] : [goto('LOCAL')];
      emit.flow('EG_FILTER', priority, [sends, ...match], row.action === 'drop' ? refuse : opening);
    }
  }
  emit.owners(iface.uuid, ...filters.map(({ uuid }) => uuid));
  const through = (side: 'ingress_passthrough' | 'egress_passthrough') => filters.length > 0 && filters.every((filter) => filter[side]);
  emit.flow('EG_FILTER', 10, [sends], through('egress_passthrough') ? [goto('LOCAL')] : refuse);
  emit.flow('IN_FILTER', 10, [receives], through('ingress_passthrough') ? [goto('OUT_LOCAL')] : drop('ingress_filter'));
});

/** The fixed rows: what is not filtered, and what becomes of connections. Only packets that conntrack was asked for come to the CONN tables. */
export const filterStateFlows = rule('filters', 'pipeline', (_root, _look, emit) => {
  emit.flow('EG_FILTER_CT', 0, [], [goto('LOCAL')]);
  emit.flow('EG_FILTER', 0, [], [goto('LOCAL')]);
  emit.flow('IN_FILTER_CT', 0, [], [goto('OUT_LOCAL')]);
  emit.flow('IN_FILTER', 0, [], [goto('OUT_LOCAL')]);
  outgoingConnections(emit);
  emit.flow('IN_FILTER_CONN', 110, [ctState(CT.trk | CT.inv)], drop('ingress_invalid'));
  for (const seen of [CT.rpl, CT.rel])
    emit.flow('IN_FILTER_CONN', 100, [ctState(CT.trk | seen), is('ct_mark', CT_MARK.filter, CT_MARK.filter)], [goto('OUT_LOCAL')]);
  emit.flow('IN_FILTER_CONN', 0, [], [goto('IN_FILTER')]);
});

function outgoingConnections(emit: Emit): void {
  const opens = regMatch('opens', 1);
  const isOpened = is('ct_mark', CT_MARK.filter, CT_MARK.filter);
  const mark = (value: number, mask: number): Action => ({
    kind: 'ct',
    commit: true,
    zone: regField('source_zone'),
    exec: [{ kind: 'set_field', field: 'ct_mark', value, mask }],
  });
  emit.flow('EG_FILTER_CONN', 110, [opens, ctState(CT.trk | CT.inv)], drop('egress_invalid'));
  emit.flow('EG_FILTER_CONN', 100, [opens, isOpened], [goto('LOCAL')]);
  for (const family of FAMILIES) {
    const both = CT_MARK.filter | CT_MARK.unadmitted;
    emit.flow('EG_FILTER_CONN', 90, [opens, isFamily(family), ctState(CT.trk | CT.new)], [apply(mark(both, both)), goto('LOCAL')]);
    emit.flow(
      'EG_FILTER_CONN',
      85,
      [opens, isFamily(family), ctState(CT.trk | CT.est)],
      [apply(mark(CT_MARK.filter, CT_MARK.filter)), goto('LOCAL')],
    );
    // No row lets it go on: what it opened is closed.
    emit.flow('EG_FILTER_CONN', 50, [isFamily(family), ctState(CT.trk | CT.est), isOpened], drop('egress_filter', mark(0, CT_MARK.filter)));
  }
  emit.flow('EG_FILTER_CONN', 80, [opens], [goto('LOCAL')]);
  emit.flow('EG_FILTER_CONN', 0, [], drop('egress_filter'));
}

interface Row {
  readonly row: FilterStatic;
  readonly filter: Filter;
}

/** Of rows that match the same, the one with the harshest action. */
function harshest(rows: readonly Row[]): Row[] {
  const best = new Map<string, Row>();
  for (const one of rows) {
    const { protocol, src_address, dst_address, src_port, dst_port, action } = one.row;
    const key = JSON.stringify([protocol, src_address, dst_address, src_port, dst_port]);
    const other = best.get(key);
    if (other === undefined || HARSH.indexOf(action) < HARSH.indexOf(other.row.action)) best.set(key, one);
  }
  return [...best.values()];
}

/** There are no connections of address resolution: there conn is pass. */
function opensConnections({ action, protocol }: FilterStatic): boolean {
  return action === 'conn' && protocol !== 'arp';
}

/** OpenVNet's number, with room for what it leaves open. */
function priorityOf({ src_address, dst_address, src_port, dst_port, protocol }: FilterStatic): number {
  const weight = (address: string | null, port: number | null) =>
    (address === null ? 0 : parseCidr(address).prefix) * 2 + (port === null ? 0 : 1);
  return ROWS_FROM + (weight(dst_address, dst_port) * 66 + weight(src_address, src_port)) * 4 + SPECIAL[protocol];
}

function incoming({ protocol, src_address, dst_address, src_port, dst_port }: FilterStatic): OxmField[][] {
  return matches(protocol, { from: src_address, to: dst_address, fromPort: src_port, toPort: dst_port });
}

function outgoing({ protocol, src_address, dst_address, src_port, dst_port }: FilterStatic): OxmField[][] {
  return matches(protocol, { from: dst_address, to: src_address, fromPort: dst_port, toPort: src_port });
}

interface Ends {
  readonly from: string | null;
  readonly to: string | null;
  readonly fromPort: number | null;
  readonly toPort: number | null;
}

function matches(protocol: FilterStatic['protocol'], { from, to, fromPort, toPort }: Ends): OxmField[][] {
  const anywhere = from === null && to === null;
  const addresses: OxmField[] = [];
  const add = (fields: readonly OxmField[]) => addresses.push(...fields.filter(({ field }) => field !== 'eth_type'));
  const cidrs = [from, to].map((cidr) => (cidr === null ? undefined : parseCidr(cidr)));
  if (protocol === 'arp') {
    const asArp: OxmField[] = cidrs.flatMap((cidr, side) => {
      if (cidr?.family !== 'ipv4') return [];
      const [, address] = fromAddress(networkIp(cidr), cidr.prefix);
      return address === undefined ? [] : [{ ...address, field: side === 0 ? 'arp_spa' : 'arp_tpa' }];
    });
    return [[isArp, ...asArp], ...(anywhere ? [isNd(ND.neighbor_solicit), isNd(ND.neighbor_advert)] : [])];
  }
  if (cidrs[0] !== undefined) add(fromAddress(networkIp(cidrs[0]), cidrs[0].prefix));
  if (cidrs[1] !== undefined) add(toAddress(networkIp(cidrs[1]), cidrs[1].prefix));
  const families = anywhere ? FAMILIES : (['ipv4'] as const);
  return families.map((family) => {
    const match: OxmField[] = [family === 'ipv4' ? isIpv4 : isFamily(family), ...addresses];
    if (protocol === 'icmp') match.push(is('nw_proto', family === 'ipv4' ? PROTO.icmp : PROTO.icmpv6));
    if (protocol === 'tcp' || protocol === 'udp') {
      match.push(is('nw_proto', PROTO[protocol]));
      if (fromPort !== null) match.push(is(`${protocol}_src`, fromPort));
      if (toPort !== null) match.push(is(`${protocol}_dst`, toPort));
    }
    return match;
  });
}
