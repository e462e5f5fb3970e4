/**
 * Small worlds of routers: a plan, the slice records it comes to, and where a packet must end by walking from router to router, address by address.
 *
 * Owns: an account of routing that has nothing in common with the compiler's: no prefixes are composed, no tables made.
 */
import { cidrContains, parseCidr, type Cidr } from '../../../flows/net/cidr.js';
import { parseIp, type Ip } from '../../../flows/net/ip.js';
import type { PolicyRoute, RouteType, TracerouteMode } from '../../../flows/model/entities/routing.js';
import type { InputRecord } from '../../../flows/pipeline/rule.js';
import { iface, ipLease, localPort, macLease, network, policyRoute, route, routeLink } from './slice-builder.js';

/** Routers and LANs are numbered from 1; transit networks from 1; addresses in them end in the number of the router, a VM's in 100. */
export interface RoutePlan {
  readonly router: number;
  readonly prefix: string;
  readonly type: RouteType;
  readonly via: readonly string[];
}

export interface PolicyPlan {
  readonly router: number;
  readonly priority: number;
  readonly source: string | null;
  readonly udpPort: number | null;
  readonly type: PolicyRoute['type'];
  readonly via: readonly string[];
}

export interface Plan {
  readonly modes: readonly TracerouteMode[];
  /** Members of each transit network. */
  readonly transits: readonly (readonly number[])[];
  readonly routes: readonly RoutePlan[];
  readonly policies: readonly PolicyPlan[];
}

export const lan = (n: number, v6 = false) => (v6 ? `fd00:${n}::/64` : `10.${n}.0.0/24`);
export const transit = (n: number, v6 = false) => (v6 ? `fd01:${n}::/64` : `172.16.${n}.0/24`);
export const inLan = (n: number, host: number, v6 = false) => (v6 ? `fd00:${n}::${host}` : `10.${n}.0.${host}`);
export const inTransit = (n: number, host: number, v6 = false) => (v6 ? `fd01:${n}::${host}` : `172.16.${n}.${host}`);
export const VM_HOST = 100;
export const routerMac = (net: number, router: number) => 0x0200_0000_0000 + net * 256 + router;

/** One address of a router: in which network, by which port. */
interface Port {
  readonly router: number;
  /** Segment key: of LANs their number, of transit networks 50 and theirs. */
  readonly segment: number;
  readonly port_key: number;
  readonly addresses: readonly string[];
  readonly prefixes: readonly string[];
}

const macText = (mac: number) =>
  mac
    .toString(16)
    .padStart(12, '0')
    .replace(/(..)(?=.)/g, '$1:');

export function portsOf({ modes, transits }: Plan): Port[] {
  const lans = modes.map((_, i): Port => {
    const n = i + 1;
    return {
      router: n,
      segment: n,
      port_key: 1000 + n,
      addresses: [inLan(n, 1), inLan(n, 1, true)],
      prefixes: [lan(n), lan(n, true)],
    };
  });
  const others = transits.flatMap((members, i) =>
    members.map((router): Port => {
      const n = i + 1;
      return {
        router,
        segment: 50 + n,
        port_key: 1000 + 100 * n + router,
        addresses: [inTransit(n, router), inTransit(n, router, true)],
        prefixes: [transit(n), transit(n, true)],
      };
    }),
  );
  return [...lans, ...others];
}

function split(prefix: string) {
  const [address, bits] = prefix.split('/') as [string, string];
  return address.includes(':')
    ? { ipv6_network: address, ipv6_prefix: Number(bits) }
    : { ipv4_network: address, ipv4_prefix: Number(bits) };
}

export function records(plan: Plan): InputRecord[] {
  const all: InputRecord[] = [];
  const nets = [
    ...plan.modes.map((_, i) => ({ name: `l${i + 1}`, key: i + 1, v4: lan(i + 1), v6: lan(i + 1, true) })),
    ...plan.transits.map((_, i) => ({ name: `t${i + 1}`, key: 51 + i, v4: transit(i + 1), v6: transit(i + 1, true) })),
  ];
  for (const { name, key, v4, v6 } of nets) all.push(network(name, key, { ...split(v4), ...split(v6), vrf_key: 7 }));
  for (const [i, traceroute] of plan.modes.entries()) all.push(routeLink(`r${i + 1}`, i + 1, { traceroute }));
  let key = 1;
  for (const port of portsOf(plan)) {
    const name = `p${port.port_key}`;
    const net = port.segment > 50 ? `t${port.segment - 50}` : `l${port.segment}`;
    all.push(
      iface(name, port.port_key, { mode: 'simulated', enable_routing: true }),
      macLease(name, macText(routerMac(port.segment, port.router))),
    );
    for (const address of port.addresses) all.push(ipLease(name, net, address));
    for (const prefix of port.prefixes)
      all.push(
        route(`c${port.port_key}-${prefix.includes(':') ? 6 : 4}`, key++, {
          interface_uuid: `if-${name}`,
          network_uuid: `nw-${net}`,
          route_link_uuid: `rl-r${port.router}`,
          ...split(prefix),
        }),
      );
  }
  key = 10_000;
  for (const { router, prefix, type, via } of plan.routes)
    all.push(
      route(`s${router}-${prefix.replace(/[:./]/g, '-')}`, key++, {
        route_link_uuid: `rl-r${router}`,
        type,
        via: [...via],
        ...split(prefix),
      }),
    );
  key = 20_000;
  for (const { router, priority, source, udpPort, type, via } of plan.policies)
    all.push(
      policyRoute(`${router}-${priority}`, key++, {
        route_link_uuid: `rl-r${router}`,
        priority,
        source,
        ...(udpPort === null ? {} : { protocol: 'udp', ports: [String(udpPort)] }),
        type,
        via: [...via],
      }),
    );
  for (const [i] of plan.modes.entries()) {
    const n = i + 1;
    all.push(
      iface(`vm${n}`, n),
      macLease(`vm${n}`, `0a:00:00:00:00:0${n}`),
      ipLease(`vm${n}`, `l${n}`, inLan(n, VM_HOST)),
      ipLease(`vm${n}`, `l${n}`, inLan(n, VM_HOST, true)),
      localPort(`vm${n}`, n),
    );
  }
  return all;
}

export interface Probe {
  /** VM that sends; it is in the LAN of that number. */
  readonly from: number;
  readonly to: string;
  readonly ttl: number;
  readonly udpPort: number;
}

/** More than any path takes. */
const FAR = 64;

/**
 * Where a packet may end: `out 3 ttl 61`, `time_exceeded at 1102 crossed 1`, `drop blackhole`, `self`; several where a router spreads flows.
 * undefined: not told here (a loop).
 */
export function walk(plan: Plan, probe: Probe): readonly string[] | undefined {
  const { from, to, ttl } = probe;
  if (ttl < FAR && walk(plan, { ...probe, ttl: FAR }) === undefined) return undefined;
  const ports = portsOf(plan);
  const start = ports.find(({ segment }) => segment === from)!;
  const ends = walkFrom(
    { plan, ports, probe, dst: parseIp(to) },
    { port: start, left: ttl, crossed: 0, fresh: true, collapsed: false, seen: [] },
  );
  return ends.includes(ROUND) ? undefined : ends;
}

const ROUND = 'round';

interface Walk {
  readonly plan: Plan;
  readonly ports: readonly Port[];
  readonly probe: Probe;
  readonly dst: Ip;
}

/** At the door of a router. */
interface Place {
  readonly port: Port;
  readonly left: number;
  readonly crossed: number;
  /** It is asked for its policies and own addresses. */
  readonly fresh: boolean;
  /** The router before was collapsed. */
  readonly collapsed: boolean;
  readonly seen: readonly number[];
}

function walkFrom(walk: Walk, { port, left, crossed, fresh, collapsed, seen }: Place): string[] {
  const { plan, ports, probe, dst } = walk;
  const { router } = port;
  if (seen.includes(router)) return [ROUND];
  const owner = ports.find(({ addresses }) => addresses.includes(probe.to));
  if (fresh && owner?.router === router) return ['self'];
  return decide(plan, ports, router, dst, `10.${probe.from}.0.${VM_HOST}`, probe.udpPort, fresh).flatMap((step) => {
    if (step.kind === 'deliver' && owner === step.port) return ['self'];
    if (step.kind === 'end')
      return [step.error === undefined ? `drop ${step.reason}` : `${step.error} at ${port.port_key} crossed ${crossed}`];
    const mode = plan.modes[router - 1]!;
    const cost = mode === 'collapsed' && collapsed ? 0 : 1;
    if (cost > 0 && left === 1) return [mode === 'off' ? 'drop ttl' : `time_exceeded at ${port.port_key} crossed ${crossed}`];
    const after = { left: left - cost, crossed: crossed + cost };
    if (step.kind === 'host') return [out(step.vm, probe.from, after.left)];
    if (step.kind === 'deliver') {
      if (owner !== undefined) return ['self'];
      const vm = vmAt(plan, probe.to);
      return [vm === undefined ? `host_unreachable at ${port.port_key} crossed ${after.crossed}` : out(vm, probe.from, after.left)];
    }
    const isFresh = step.anew === true || decidesItself(plan, ports, step.port.router, dst);
    return walkFrom(walk, { port: step.port, ...after, fresh: isFresh, collapsed: mode === 'collapsed', seen: [...seen, router] });
  });
}

/** A port gets nothing back that it sent. */
function out(vm: number, from: number, ttl: number): string {
  return vm === from ? 'drop to_sender' : `out ${vm} ttl ${ttl}`;
}

type Step =
  | { readonly kind: 'deliver'; readonly port: Port }
  | { readonly kind: 'router'; readonly port: Port; readonly anew?: boolean }
  | { readonly kind: 'host'; readonly vm: number }
  | { readonly kind: 'end'; readonly error: string | undefined; readonly reason: string };

function vmAt({ modes }: Plan, address: string): number | undefined {
  const at = modes.findIndex((_, i) => inLan(i + 1, VM_HOST) === address || inLan(i + 1, VM_HOST, true) === address);
  return at < 0 ? undefined : at + 1;
}

/** A router with policies, or with several next hops for the destination, is entered anew. */
function decidesItself(plan: Plan, ports: readonly Port[], router: number, dst: Ip): boolean {
  if (plan.policies.some((policy) => policy.router === router)) return true;
  const found = longest(plan, ports, router, dst);
  return found !== undefined && 'via' in found && found.via.length > 1;
}

function decide(plan: Plan, ports: readonly Port[], router: number, dst: Ip, source: string, udpPort: number, fresh: boolean): Step[] {
  if (fresh)
    for (const policy of plan.policies.filter((one) => one.router === router).sort((a, b) => a.priority - b.priority)) {
      const family =
        policy.source !== null ? parseCidr(policy.source).family : policy.via.length > 0 ? parseIp(policy.via[0]!).family : dst.family;
      if (family !== dst.family) continue;
      if (policy.source !== null && !cidrContains(parseCidr(policy.source), parseIp(source))) continue;
      if (policy.udpPort !== null && policy.udpPort !== udpPort) continue;
      if (policy.type === 'routing-table') break;
      return policy.type === 'forward' ? via(plan, ports, router, policy.via).map(anew) : [refusal(policy.type)];
    }
  const found = longest(plan, ports, router, dst);
  if (found === undefined) return [{ kind: 'end', error: 'net_unreachable', reason: 'no_route' }];
  if ('port' in found) return [{ kind: 'deliver', port: found.port }];
  if (found.type !== 'forward') return [refusal(found.type)];
  const steps = via(plan, ports, router, found.via);
  return found.via.length > 1 ? steps.map(anew) : steps;
}

function refusal(type: 'blackhole' | 'unreachable' | 'prohibit'): Step {
  if (type === 'blackhole') return { kind: 'end', error: undefined, reason: 'blackhole' };
  return type === 'unreachable'
    ? { kind: 'end', error: 'host_unreachable', reason: 'unreachable' }
    : { kind: 'end', error: 'prohibited', reason: 'prohibited' };
}

function anew(step: Step): Step {
  return step.kind === 'router' ? { ...step, anew: true } : step;
}

/** One step for each next hop that somebody has; the flow takes one of them. */
function via(plan: Plan, ports: readonly Port[], router: number, addresses: readonly string[]): Step[] {
  const steps = addresses.flatMap((address) => towards(plan, ports, router, address));
  return steps.length > 0 ? steps : [{ kind: 'end', error: 'host_unreachable', reason: 'no_neighbor' }];
}

function towards(plan: Plan, ports: readonly Port[], router: number, address: string): Step[] {
  const own = ports.find(
    (port) => port.router === router && port.prefixes.some((prefix) => cidrContains(parseCidr(prefix), parseIp(address))),
  );
  const next = ports.find((port) => port.segment === own?.segment && port.addresses.includes(address));
  if (next !== undefined && next.router !== router) return [{ kind: 'router', port: next }];
  const vm = vmAt(plan, address);
  return own !== undefined && next === undefined && vm === own.segment ? [{ kind: 'host', vm }] : [];
}

function longest({ routes }: Plan, ports: readonly Port[], router: number, dst: Ip): RoutePlan | { readonly port: Port } | undefined {
  let best: { cidr: Cidr; found: RoutePlan | { port: Port } } | undefined;
  const offer = (prefix: string, found: RoutePlan | { port: Port }) => {
    const cidr = parseCidr(prefix);
    if (cidrContains(cidr, dst) && (best === undefined || cidr.prefix > best.cidr.prefix)) best = { cidr, found };
  };
  for (const port of ports) if (port.router === router) for (const prefix of port.prefixes) offer(prefix, { port });
  for (const one of routes) if (one.router === router) offer(one.prefix, one);
  return best?.found;
}
