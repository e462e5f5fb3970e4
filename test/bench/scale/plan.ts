/**
 * The simulated site: who is where.
 *
 * Owns: the names of datapaths and interfaces, the networks they share, the model in the words of the REST API.
 */
export interface ScalePlan {
  /** Directory of sockets and logs. */
  readonly dir: string;
  readonly redis: string;
  readonly datapaths: number;
  /** Interfaces on each. */
  readonly ports: number;
  /** A network spans this many neighbouring datapaths, with all their interfaces. */
  readonly span: number;
}

export const BRIDGE = 'br-int';
/** Long enough that no audit falls into a measurement. */
export const AUDIT_MS = 3_600_000;

export interface BatchOperation {
  readonly method: 'POST';
  readonly path: string;
  readonly body: object;
}

export function nodeOf(datapath: number): string {
  return `hv${datapath}`;
}

export function hostDir({ dir }: ScalePlan, datapath: number): string {
  return `${dir}/h${datapath}`;
}

export function nicsOf({ ports }: ScalePlan, datapath: number): (readonly [name: string, ifaceId: string])[] {
  return Array.from({ length: ports }, (_, k) => [`t${k}`, interfaceUuid(datapath, k)]);
}

export function interfaceUuid(datapath: number, port: number): string {
  return `if-d${datapath}p${port}`;
}

/** Of its host on the underlay. */
export function addressOf(datapath: number): string {
  return `172.16.${datapath >> 8}.${datapath & 255}`;
}

/** Networks, a group for each, a router with DHCP in each; then the interfaces. */
export function* operationsOf({ datapaths, ports, span }: ScalePlan): Generator<BatchOperation> {
  const post = (collection: string, body: object): BatchOperation => ({ method: 'POST', path: `/${collection}`, body });
  const networks = Math.ceil(datapaths / span);
  for (let n = 0; n < networks; n++) {
    const range = { ipv4_network: `10.${n >> 5}.${(n & 31) << 3}.0`, ipv4_prefix: 21 };
    const place = { network_uuid: `nw-${n}` };
    yield post('networks', { uuid: `nw-${n}`, ...range });
    yield post('security_groups', { uuid: `sg-${n}`, rules: rulesOf(n) });
    yield post('route_links', { uuid: `rl-${n}` });
    const gateway = { uuid: `if-gw${n}`, mode: 'simulated', enable_routing: true, ipv4_address: hostAddress(n, 0) };
    yield post('interfaces', { ...gateway, ...place });
    yield post('network_services', { mode: 'dhcp', interface_uuid: `if-gw${n}` });
    yield post('routes', { interface_uuid: `if-gw${n}`, ...place, route_link_uuid: `rl-${n}`, ...range });
  }
  for (let d = 0; d < datapaths; d++) {
    const n = Math.floor(d / span);
    for (let k = 0; k < ports; k++) {
      const ipv4_address = hostAddress(n, 1 + (d % span) * ports + k);
      const groups = { security_group_uuids: [`sg-${n}`] };
      yield post('interfaces', { uuid: interfaceUuid(d, k), mode: 'vif', network_uuid: `nw-${n}`, ipv4_address, ...groups });
    }
  }
}

/** The i-th host of a network, from 0. */
export function hostAddress(network: number, i: number): string {
  const host = i + 1;
  return `10.${network >> 5}.${((network & 31) << 3) + (host >> 8)}.${host & 255}`;
}

function rulesOf(group: number): object[] {
  const tcp = ['22', '80', '443'].map((port) => ({ direction: 'ingress', protocol: 'tcp', ports: [port], remote: { any: true } }));
  return [
    ...tcp,
    { direction: 'ingress', protocol: 'any', remote: { security_group_uuid: `sg-${group}` } },
    { direction: 'ingress', protocol: 'icmp', remote: { any: true } },
  ];
}
