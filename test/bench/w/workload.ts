/**
 * The workload W(H,N,P), in no product's terms.
 *
 * Owns: H hypervisors; N networks of P ports each, port k of network n on hypervisor (nP+k) mod H, so that every hypervisor has ports of every network;
 * a router for every ten networks; one stateful group for the ports of each router, with five ingress rules: tcp 22, 80 and 443 and icmp from
 * anywhere, everything from the same group; egress open, all else denied.
 * Promises: the same numbers give the same workload.
 */
export interface Workload {
  readonly hypervisors: number;
  readonly networks: readonly Network[];
  /** By number, the networks each router joins. */
  readonly routers: readonly (readonly number[])[];
  readonly ports: readonly Port[];
}

export interface Network {
  /** `/24`, such as `10.0.7.0`. */
  readonly subnet: string;
  /** Address and MAC of the router in this network. */
  readonly gateway: string;
  readonly gatewayMac: string;
  /** Number of its router, and of the group of its ports. */
  readonly router: number;
}

export interface Port {
  readonly name: string;
  readonly network: number;
  readonly hypervisor: number;
  readonly mac: string;
  readonly address: string;
  readonly group: number;
}

export const GROUP_TCP_PORTS = [22, 80, 443];
export const DNS_SERVER = '8.8.8.8';
export const MTU = 1442;
export const LEASE_SECONDS = 3600;

const NETWORKS_PER_ROUTER = 10;
/** The subnet has room for these, the gateway, and the ports that are added later. */
export const MAX_PORTS = 230;

export function makeWorkload(hypervisors: number, networkCount: number, portsPerNetwork: number): Workload {
  const networks = Array.from({ length: networkCount }, (_, n): Network => {
    const prefix = prefixOf(n);
    return { subnet: `${prefix}.0`, gateway: `${prefix}.1`, gatewayMac: mac(0x00, n, 0), router: Math.floor(n / NETWORKS_PER_ROUTER) };
  });
  const routers = Array.from({ length: Math.ceil(networkCount / NETWORKS_PER_ROUTER) }, (_, r) =>
    networks.flatMap(({ router }, n) => (router === r ? [n] : [])),
  );
  const ports = networks.flatMap(({ router }, n) =>
    Array.from({ length: portsPerNetwork }, (_, k): Port => {
      const hypervisor = (n * portsPerNetwork + k) % hypervisors;
      return { name: `p${n}-${k}`, network: n, hypervisor, mac: mac(0x01, n, k), address: `${prefixOf(n)}.${k + 2}`, group: router };
    }),
  );
  return { hypervisors, networks, routers, ports };
}

/** The i-th port that comes after all those of the workload: networks and hypervisors in turn. */
export function laterPort({ hypervisors, networks }: Workload, i: number): Port {
  const network = i % networks.length;
  const address = `${prefixOf(network)}.${250 - Math.floor(i / networks.length)}`;
  return { name: `x${i}`, network, hypervisor: i % hypervisors, mac: mac(0x02, 0, i), address, group: networks[network]!.router };
}

function prefixOf(network: number): string {
  return `10.${network >> 8}.${network & 255}`;
}

function mac(kind: number, network: number, k: number): string {
  return ['0a', ...[kind, network >> 8, network & 255, k >> 8, k & 255].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}
