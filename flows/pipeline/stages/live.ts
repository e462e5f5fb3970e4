/**
 * Real packets that somebody follows for a while.
 *
 * Owns: the rows of a live trace, and no others: where packets of an interface are taken in by their filter, and where it shows what becomes of them.
 * Assumes: whoever asked for the trace withdraws it before `seconds` are over; else the switch removes the rows.
 * Promises: each row notes in registers that it was here and sends the packet to its own table again, where it hits the very row it would have hit without it. So what
 * is done to a packet does not depend on being followed, whatever rows there are. All but the rows that take packets in match registers only: datapath flows
 * of other packets are what they were.
 */
import type { Action, Instruction } from '../../openflow/action.js';
import type { Match } from '../../openflow/match.js';
import { apply, is, isArp, isNd, isUdp, ND, puntAction, resubmit } from '../build.js';
import { liveMatches, liveMatchesFrom } from '../live-filter.js';
import type { LivePoint } from '../punt.js';
import { regLoad, regLoadAll, regMatch, regMatchBoth } from '../registers.js';
import { rule, type LiveTrace, type Lookup } from '../rule.js';
import type { TableName } from '../tables.js';
import { attachments } from './attachments.js';
import { peerUuid } from './overlay-facts.js';

/** Before any other row. */
const FIRST = 60_000;

/** Where packets end on a datapath, and what it says of them that they came there. */
const ENDS: readonly (readonly [table: TableName, point: LivePoint])[] = [
  ['OUT_LOCAL', 'delivered'],
  ['FLOOD_OUT', 'flooded'],
  ['TUNNEL_OUT', 'sent'],
  ['PHYSICAL_OUT', 'left'],
  ['ROUTER_SELF', 'answered'],
];

/** What LOCAL may answer. */
const ANSWERABLE: readonly Match[] = [[isArp], isNd(ND.neighbor_solicit), isNd(ND.router_solicit), isUdp('ipv4', 68, 67)];

export const liveFlows = rule('live trace', 'live_trace', (trace, look, emit) => {
  const { session, seconds, dropped_only, interface_uuid } = trace;
  const tell = (point: LivePoint) => puntAction({ kind: 'live', session, point });
  const told = regLoad('live_told', 1);
  const again = (table: TableName, ...actions: Action[]): Instruction[] => [apply(...actions, resubmit(table))];
  emit.owners(interface_uuid, trace.uuid);

  const take = (table: TableName, point: LivePoint, marked: 0 | 1, match: Match) => {
    const follow = regLoadAll({ live_session: session, live_marked: 1 });
    const actions = dropped_only ? [follow] : [follow, tell(point)];
    const isNew = regMatchBoth('live_session', 0, 'live_marked', marked);
    emit.flow(table, FIRST, [isNew, ...match], again(table, ...actions), seconds);
  };
  for (const match of entries(trace, look)) take('CLASSIFY', 'entry', 0, match);
  for (const { table, marked, match } of arrivals(trace, look)) take(table, 'arrival', marked, match);

  const onItsWay = regMatchBoth('live_session', session, 'live_told', 0);
  emit.flow('DROP', FIRST, [onItsWay], again('DROP', told, tell('dropped')), seconds);
  emit.flow('ICMP_ERROR', FIRST, [onItsWay], again('ICMP_ERROR', told, tell('refused')), seconds);
  // What is found out on the way on is told afterwards: registers say then what came of it.
  const afterwards = (table: TableName, point: LivePoint, match: Match) =>
    emit.flow(table, FIRST, match, [apply(told, resubmit(table), tell(point))], seconds);
  if (dropped_only) {
    afterwards('TUNNEL_OUT', 'sent', [onItsWay, regMatch('too_big', 1)]);
    return;
  }
  for (const [table, point] of ENDS) afterwards(table, point, [onItsWay]);
  const unseen = regMatchBoth('live_session', session, 'live_local', 0);
  const seen = regLoad('live_local', 1);
  for (const match of ANSWERABLE) emit.flow('LOCAL', FIRST, [unseen, ...match], again('LOCAL', seen, tell('local')), seconds);
});

/** What the interface sends, where it is plugged here. */
function entries({ interface_uuid, filter }: LiveTrace, look: Lookup): Match[] {
  const port = look.get('local_port', `port-${interface_uuid}`);
  return port === undefined ? [] : liveMatches(filter).map((match) => [is('in_port', port.ofport), ...match]);
}

interface Arrival {
  readonly table: TableName;
  /** Whether a mark has come along. */
  readonly marked: 0 | 1;
  readonly match: Match;
}

/** What comes from the hypervisor where it is plugged: as the mark says, and where no mark can come along, as the filter does. */
function arrivals({ interface_uuid, filter }: LiveTrace, look: Lookup): Arrival[] {
  const iface = look.get('interface', interface_uuid);
  const from = look.get('binding', `bind-${interface_uuid}`)?.datapath_uuid;
  const here = look.get('here', 'here');
  if (iface === undefined || from === undefined || here === undefined || from === here.datapath_uuid) return [];
  const found: Arrival[] = [{ table: 'TUNNEL_SEGMENT', marked: 1, match: [regMatch('source_port', iface.port_key)] }];
  const peer = look.get('peer', peerUuid(from));
  if (peer === undefined) return found;
  const unmarked = [regMatch('source_port', 0), regMatch('peer', peer.peer_key)];
  for (const [, { mac, addresses }] of attachments(iface, look)) {
    const own = is('eth_src', mac);
    for (const match of liveMatches(filter)) found.push({ table: 'DIRECT_IN', marked: 0, match: [own, ...match] });
    const senders = addresses.length === 0 ? liveMatches(filter).map((match) => [own, ...match]) : [];
    for (const { ip } of addresses) senders.push(...liveMatchesFrom(filter, ip));
    for (const match of senders) found.push({ table: 'TUNNEL_SEGMENT', marked: 0, match: [...unmarked, ...match] });
  }
  return found;
}
