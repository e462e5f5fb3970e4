/**
 * Routes: where routers send packets.
 *
 * Owns: prefix → path, the rows of paths, next hops of which a flow takes one, policy routes.
 * Assumes: what is worked out in paths.ts.
 * Promises: a packet crosses the routers of a path in one row, on the hypervisor it starts from. Every router takes one from the TTL, a run of collapsed
 * ones a single one; where it is used up the router answers, or stays silent if it is to. Rows for the TTLs that run out stand beside the row that all
 * other packets take, so those pay nothing for them. A path that ends at a router which decides by more than the destination enters that one anew, and
 * changes nothing about the TTL by that: a run of collapsed routers that goes on there is paid there.
 */
import { networkIp, parseCidr } from '../../net/cidr.js';
import { parseIp } from '../../net/ip.js';
import { parsePortRange, portMasks } from '../../net/ranges.js';
import type { PolicyRoute } from '../../model/entities/routing.js';
import type { Action, Instruction } from '../../openflow/action.js';
import type { FieldName } from '../../openflow/fields.js';
import type { OxmField } from '../../openflow/match.js';
import { apply, drop, FAMILIES, fromAddress, goto, is, isFamily, PROTO, resubmit, set, toAddress, type Family } from '../build.js';
import { hopAt, pathsOf, policyOutcome, type Hop, type NextHop, type Outcome } from '../paths.js';
import { enterSegment, regLoad, regMatch, regMatchBoth } from '../registers.js';
import { rule, type Emit } from '../rule.js';
import { hashFlow, memberOfSlot, SLOTS } from '../spread.js';
import { crossed, refuse } from './icmp.js';
import { NAT_NEXT } from './nat.js';
import { EXPIRES } from './router.js';

export const routeFlows = rule('route', 'route', (route, look, emit) => {
  if (!route.egress) return;
  for (const { prefix, path_key, hops, outcome } of pathsOf(route, look)) {
    const first = hops[0]!;
    emit.owners(route.uuid, ...hops.flatMap((hop) => [hop.link_uuid, ...(hop.route_uuid === undefined ? [] : [hop.route_uuid])]));
    emit.flow(
      'FIB',
      100 + 8 * prefix.prefix,
      [regMatch('router', first.router_key), ...toAddress(networkIp(prefix), prefix.prefix)],
      [apply(regLoad('path', path_key)), goto('HOPS')],
    );
    pathRows(path_key, prefix.family, hops, outcome, emit);
  }
});

function pathRows(pathKey: number, family: Family, hops: readonly Hop[], outcome: Outcome, emit: Emit): void {
  const routerKey = hops[0]!.router_key;
  const taken = [regMatch('router', routerKey), regMatch('path', pathKey), isFamily(family)];
  const costs = ttlCosts(hops);
  const last = hops.length - 1;
  const total = costs[last]!;
  const before = last === 0 ? 0 : costs[last - 1]!;
  // Whether what becomes of the packet takes one from its TTL.
  const forwards = outcome.kind !== 'drop' && outcome.kind !== 'refuse';

  for (const [at, hop] of hops.entries()) {
    const cost = costs[at]!;
    const isAnswered = at > 0 && cost > costs[at - 1]! && (at < last || forwards);
    if (isAnswered) emit.flow('HOPS', at === last ? 120 : 140, [...taken, is('nw_ttl', cost)], expired(hop, cost));
  }
  // A packet for the last router's own address in the network the path ends in has arrived before that router takes from the TTL.
  if (outcome.kind === 'deliver' && last > 0)
    emit.flow(
      'HOPS',
      130,
      [...taken, regMatch('destination_port', outcome.port.port_key)],
      [apply(...decrement(before), ...crossed(before)), goto('ROUTER_SELF')],
    );
  const arrives: Action[] =
    last === 0 ? [] : [regLoad('router', hops[last]!.router_key), regLoad('arrival', hops[last]!.arrival!.port_key)];
  const spent = forwards ? total : before;
  emit.flow(
    'HOPS',
    forwards || last > 0 ? 100 : EXPIRES + 10,
    taken,
    ending(outcome, hops, spent, arrives, () => spread(outcome, hops, pathKey, family, emit)),
  );
}

/** How much is taken from the TTL up to and with each hop. */
export function ttlCosts(hops: readonly Hop[]): number[] {
  let cost = 0;
  return hops.map((hop, i) => (cost += hop.mode === 'collapsed' && hops[i - 1]?.mode === 'collapsed' ? 0 : 1));
}

/** What a router does with a packet whose TTL runs out in it, after others took `cost - 1`. */
function expired(hop: Hop, cost: number): readonly Instruction[] {
  if (hop.mode === 'off') return drop('ttl');
  return refuse('time_exceeded', 'ttl', regLoad('arrival', hop.arrival!.port_key), ...crossed(cost - 1));
}

function decrement(count: number): Action[] {
  return Array.from({ length: count }, () => ({ kind: 'dec_ttl' as const }));
}

/**
 * @param spent what the path takes from the TTL.
 * @param arrives registers that say which router the packet ends in, where that is not the first.
 */
function ending(
  outcome: Outcome,
  hops: readonly Hop[],
  spent: number,
  arrives: readonly Action[],
  spreadOut: () => void,
): readonly Instruction[] {
  switch (outcome.kind) {
    case 'drop':
      return drop(outcome.reason);
    case 'refuse':
      return refuse(outcome.error, outcome.reason, ...arrives, ...crossed(spent));
    case 'deliver': {
      const { segment_key, vrf_key } = outcome.port;
      if (outcome.translated) return [apply(...arrives, enterSegment(segment_key, vrf_key)), goto('NAT_OUT')];
      return [apply(...decrement(spent), ...crossed(spent), ...arrives, enterSegment(segment_key, vrf_key)), goto('NEIGH')];
    }
    case 'spread':
      spreadOut();
      return [apply(hashFlow(hops[0]!.router_key), resubmit('NEXT_HOPS'))];
    default:
      return leave(outcome, hops.at(-1)!, spent, arrives);
  }
}

/** From the last router of a path to a host, or into a router that decides for itself. */
function leave(next: NextHop, from: Hop, spent: number, arrives: readonly Action[]): Instruction[] {
  if (next.translated) {
    const [port, mac] = next.kind === 'host' ? [next.port, next.mac] : [next.into, next.into.mac];
    const seen = [regLoad('nat_next', NAT_NEXT[next.kind]), set('eth_dst', mac), enterSegment(port.segment_key, port.vrf_key)];
    return [apply(...arrives, ...seen), goto('NAT_OUT')];
  }
  if (next.kind === 'host') {
    const { segment_key, vrf_key } = next.port;
    const moved = [...decrement(spent), ...crossed(spent), enterSegment(segment_key, vrf_key)];
    return [apply(...moved, ...arrives, set('eth_dst', next.mac)), goto('ROUTED')];
  }
  const { into, mode } = next;
  const enters = [regLoad('router', into.router_key), regLoad('next_hop', 0), regLoad('arrival', into.port_key)];
  // What expires in the run has been told apart by now: the router entered next takes for both, as if it were the only one.
  const goesOn = from.mode === 'collapsed' && mode === 'collapsed';
  const taken = goesOn ? spent - 1 : spent;
  const moved = [...decrement(taken), ...crossed(taken), ...(goesOn ? [regLoad('run_unpaid', 1)] : [])];
  return [apply(...moved, enterSegment(into.segment_key, into.vrf_key), ...enters, resubmit('L3_IN'))];
}

function spread(outcome: Outcome, hops: readonly Hop[], pathKey: number, family: Family, emit: Emit): void {
  if (outcome.kind !== 'spread') return;
  const { members } = outcome;
  const last = hops.at(-1)!;
  const routerKey = hops[0]!.router_key;
  for (let slot = 0; slot < SLOTS; slot++) {
    const next = members.get(memberOfSlot(slot, members.keys()))!;
    const match = [regMatchBoth('router', routerKey, 'next_hop', slot), regMatch('path', pathKey), isFamily(family)];
    emit.flow('NEXT_HOPS', 100, match, leave(next, last, 1, [regLoad('next_hop', 0)]));
  }
}

/** OpenFlow priority of the policy that is looked at first. */
const FIRST_POLICY = 40_000;

export const policyRouteFlows = rule('policy route', 'policy_route', (policy, look, emit) => {
  const hop = hopAt(policy.route_link_uuid, undefined, undefined, look);
  if (hop === undefined) return;
  emit.owners(policy.uuid, hop.link_uuid);
  const outcome = policyOutcome(policy, look);
  for (const family of familiesOf(policy)) {
    const does = policy.type === 'routing-table' ? [goto('FIB')] : [apply(regLoad('path', policy.route_key)), goto('HOPS')];
    for (const match of policyMatches(policy, family))
      emit.flow('POLICY_ROUTES', FIRST_POLICY - policy.priority, [regMatch('router', hop.router_key), ...match], does);
    if (policy.type !== 'routing-table') pathRows(policy.route_key, family, [hop], outcome, emit);
  }
});

function familiesOf({ source, destination, protocol, via }: PolicyRoute): readonly Family[] {
  if (protocol === 'icmp') return ['ipv4'];
  if (protocol === 'icmpv6') return ['ipv6'];
  const prefix = source ?? destination;
  if (prefix !== null) return [parseCidr(prefix).family];
  return via.length > 0 ? [parseIp(via[0]!).family] : FAMILIES;
}

const PORT_FIELDS = {
  tcp: ['tcp_src', 'tcp_dst'],
  udp: ['udp_src', 'udp_dst'],
  sctp: ['sctp_src', 'sctp_dst'],
} as const satisfies Record<string, readonly [FieldName, FieldName]>;

function policyMatches({ source, destination, protocol, source_ports, ports }: PolicyRoute, family: Family): OxmField[][] {
  const from = source === null ? undefined : parseCidr(source);
  const to = destination === null ? undefined : parseCidr(destination);
  const match: OxmField[] = [
    isFamily(family),
    ...(from === undefined ? [] : fromAddress(networkIp(from), from.prefix).slice(1)),
    ...(to === undefined ? [] : toAddress(networkIp(to), to.prefix).slice(1)),
  ];
  if (protocol === 'any') return [match];
  match.push(is('nw_proto', PROTO[protocol]));
  if (protocol === 'icmp' || protocol === 'icmpv6') return [match];
  const [sourceField, destinationField] = PORT_FIELDS[protocol];
  return portMatches(sourceField, source_ports).flatMap((one) =>
    portMatches(destinationField, ports).map((other) => [...match, ...one, ...other]),
  );
}

/** One match for each mask of the ranges; one without fields for any port. */
function portMatches(field: FieldName, ranges: readonly string[]): OxmField[][] {
  if (ranges.length === 0) return [[]];
  const masks = ranges.map(parsePortRange).flatMap(({ lo, hi }) => portMasks(lo, hi));
  return masks.map(({ value, mask }) => [mask === 0xffff ? is(field, value) : is(field, value, mask)]);
}
