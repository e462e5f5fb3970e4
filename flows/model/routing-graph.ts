/**
 * Where routers send packets, as far as it does not depend on the packet.
 *
 * Owns: the ports of a route link, its longest matching route, the routers it sends to; walking from router to router for one prefix.
 * Assumes: the model does not change while the graph is used.
 * Promises: the same answers as the compiler's paths (flows/compile): a route through an interface leads to the router there whose longest route
 * covers the prefix, a route with next hops to the routers that have those addresses.
 */
import { cidrContains, cidrCovers, formatCidr, networkIp, cidrOf, type Cidr } from '../net/cidr.js';
import { parseIp, type Ip } from '../net/ip.js';
import type { Interface, IpLease } from './entities/interface.js';
import type { Network } from './entities/network.js';
import type { Route } from './entities/routing.js';
import { ipKey } from './indexes.js';
import { destination, subnets } from './subnets.js';
import { entityOf, referrers, type ModelView } from './view.js';

/** An address of a router in a network. */
export interface PortAddress {
  readonly interface_uuid: string;
  readonly network: Network;
  readonly lease: IpLease;
}

interface RouterNode {
  readonly ports: readonly PortAddress[];
  readonly byPrefix: ReadonlyMap<string, Route>;
  /** Of either family, longest first. */
  readonly lengths: { readonly ipv4: readonly number[]; readonly ipv6: readonly number[] };
  readonly routes: readonly { readonly route: Route; readonly cidr: Cidr }[];
}

/** One router a packet comes by, and how it leaves it. */
export interface RouterStep {
  readonly link: string;
  readonly route: Route;
  /** Address of the next router, or the network it is found in. */
  readonly towards: string;
}

export class RoutingGraph {
  private readonly view: ModelView;
  private readonly nodes = new Map<string, RouterNode>();

  constructor(view: ModelView) {
    this.view = view;
  }

  /** The addresses a router has in networks it has routes through. */
  ports(link: string): readonly PortAddress[] {
    return this.node(link).ports;
  }

  /** The port in whose network the address is. */
  portTowards(link: string, ip: Ip): PortAddress | undefined {
    return this.ports(link).find(({ network }) => subnets(network).some(({ cidr }) => cidrContains(cidr, ip)));
  }

  /** The router that has this address in the network. */
  routerAt(network: string, address: string): string | undefined {
    for (const uuid of this.view.lookup(ipKey(network, address))) {
      const iface = entityOf(this.view, 'interface', entityOf(this.view, 'ip_lease', uuid)?.interface_uuid ?? null);
      const link = iface && this.entry(iface);
      if (link !== undefined) return link;
    }
    return undefined;
  }

  /** Routers to which this one passes packets for the prefix on. */
  nextRouters(link: string, prefix: Cidr): readonly (RouterStep & { readonly next: string })[] {
    const route = this.longest(link, prefix);
    if (route === undefined || route.type !== 'forward') return [];
    if (route.via.length > 0)
      return route.via.flatMap((address) => {
        const port = this.portTowards(link, parseIp(address));
        const next = port && this.routerAt(port.network.uuid, address);
        return next === undefined || next === link ? [] : [{ link, route, towards: address, next }];
      });
    const network = entityOf(this.view, 'network', route.network_uuid);
    if (network === undefined || subnets(network).some(({ cidr }) => cidrCovers(cidr, destination(route)!.cidr))) return [];
    const next = this.transit(link, network, prefix);
    return next === undefined ? [] : [{ link, route, towards: network.uuid, next }];
  }

  /** Prefixes that this router, and those its packets may reach, send on, within `within` if that is given. */
  prefixes(link: string, within: Cidr | undefined): readonly Cidr[] {
    const found = new Map<string, Cidr>();
    const seen = new Set([link]);
    for (const one of seen)
      for (const { route, cidr } of this.node(one).routes) {
        if (route.type !== 'forward') continue;
        const inside = within === undefined || cidrCovers(within, cidr);
        if (inside) found.set(formatCidr(cidr), cidr);
        if (!inside && !cidrCovers(cidr, within)) continue;
        for (const { next } of this.nextRouters(one, cidr)) seen.add(next);
      }
    if (within !== undefined) found.set(formatCidr(within), within);
    return [...found.values()];
  }

  /** The way from a router back to itself that packets for the prefix would take. */
  loop(from: string, prefix: Cidr): readonly RouterStep[] | undefined {
    const seen = new Set<string>();
    const walk = (link: string, steps: readonly RouterStep[]): readonly RouterStep[] | undefined => {
      for (const step of this.nextRouters(link, prefix)) {
        const taken = [...steps, step];
        if (step.next === from) return taken;
        if (seen.has(step.next)) continue;
        seen.add(step.next);
        const found = walk(step.next, taken);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    return walk(from, []);
  }

  private longest(link: string, prefix: Cidr): Route | undefined {
    const { byPrefix, lengths } = this.node(link);
    for (const length of lengths[prefix.family]) {
      if (length > prefix.prefix) continue;
      const route = byPrefix.get(formatCidr(cidrOf(networkIp(prefix), length)));
      if (route !== undefined) return route;
    }
    return undefined;
  }

  /** The router in a transit network that packets for the prefix are left to. */
  private transit(link: string, network: Network, prefix: Cidr): string | undefined {
    let best: { port: string; link: string; length: number } | undefined;
    for (const lease of referrers(this.view, 'ip_lease', network.uuid)) {
      const iface = entityOf(this.view, 'interface', lease.interface_uuid);
      const entered = iface && this.entry(iface);
      if (iface === undefined || entered === undefined || entered === link) continue;
      for (const { route, cidr } of this.node(entered).routes) {
        if (route.interface_uuid === iface.uuid || !cidrCovers(cidr, prefix)) continue;
        const port = lease.mac_lease_uuid ?? '';
        if (best === undefined || cidr.prefix > best.length || (cidr.prefix === best.length && port < best.port))
          best = { port, link: entered, length: cidr.prefix };
      }
    }
    return best?.link;
  }

  /** The router that packets to an interface enter. */
  private entry(iface: Interface): string | undefined {
    if (iface.mode !== 'simulated' || !iface.enable_routing) return undefined;
    const routes = [...referrers(this.view, 'route', iface.uuid)].filter(({ ingress }) => ingress);
    return routes.sort((a, b) => (a.uuid < b.uuid ? -1 : 1))[0]?.route_link_uuid;
  }

  private node(link: string): RouterNode {
    let node = this.nodes.get(link);
    if (node === undefined) this.nodes.set(link, (node = this.read(link)));
    return node;
  }

  private read(link: string): RouterNode {
    const interfaces = new Set<string>();
    const byPrefix = new Map<string, Route>();
    const routes: { route: Route; cidr: Cidr }[] = [];
    const lengths = { ipv4: new Set<number>(), ipv6: new Set<number>() };
    for (const route of referrers(this.view, 'route', link)) {
      if (route.interface_uuid !== null) interfaces.add(route.interface_uuid);
      const target = destination(route);
      if (!route.egress || target === undefined) continue;
      routes.push({ route, cidr: target.cidr });
      byPrefix.set(target.text, route);
      lengths[target.cidr.family].add(target.cidr.prefix);
    }
    const ports = [...interfaces].sort().flatMap((interface_uuid) =>
      [...referrers(this.view, 'ip_lease', interface_uuid)].flatMap((lease): PortAddress[] => {
        const network = entityOf(this.view, 'network', lease.network_uuid);
        return network ? [{ interface_uuid, network, lease }] : [];
      }),
    );
    const descending = (set: ReadonlySet<number>) => [...set].sort((a, b) => b - a);
    return { ports, byPrefix, routes, lengths: { ipv4: descending(lengths.ipv4), ipv6: descending(lengths.ipv6) } };
  }
}
