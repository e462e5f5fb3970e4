/**
 * Requests in the forms of OpenVNet's vnctl: every parameter in the query, `.yml` or `.json` on the path.
 *
 * Owns: the data of OpenVNet's integration scenarios simple_nw, simple_seg, router_v2v and event, as those requests.
 */

export interface VnctlRequest {
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly params?: Readonly<Record<string, string>>;
}

export const add = (path: string, params: VnctlRequest['params'] = {}): VnctlRequest => ({ method: 'POST', path: `/${path}`, params });
export const del = (path: string): VnctlRequest => ({ method: 'DELETE', path: `/${path}` });

/** What a hypervisor is in the data: its underlay address and the number of the underlay network. */
export interface Site {
  readonly ipv4: string;
  readonly segment: number;
}

const DPIDS = ['0x0000aaaaaaaaaaaa', '0x0000bbbbbbbbbbbb', '0x0000cccccccccccc'] as const;
const HEX = ['aa', 'bb', 'cc'] as const;
const VMS = [1, 2, 3, 4, 5, 6] as const;

export const dpidOf = (n: number): string => DPIDS[n - 1]!;
export const vmMac = (n: number): string => `02:00:00:00:00:0${n}`;

/** Datapaths, the networks underneath and the hypervisors' own interfaces in them. */
export function base(sites: readonly Site[]): VnctlRequest[] {
  return [
    ...sites.map((_, i) =>
      add('datapaths', { uuid: `dp-${i + 1}`, node_id: `vna${i + 1}`, display_name: `node${i + 1}`, dpid: dpidOf(i + 1) }),
    ),
    ...[1, 2].flatMap((n) => [
      add('networks', {
        uuid: `nw-public${n}`,
        display_name: `public${n}`,
        ipv4_network: `172.16.${n}.0`,
        ipv4_prefix: '24',
        domain_name: 'public',
        network_mode: 'physical',
      }),
      simulated(`if-dhcppub${n}`, `nw-public${n}`, `02:00:00:00:01:${n}${n}`, `172.16.${n}.2`),
      add('network_services', { uuid: `ns-dhcppub${n}`, interface_uuid: `if-dhcppub${n}`, mode: 'dhcp' }),
    ]),
    ...sites.flatMap(({ ipv4, segment }, i) => [
      add('interfaces', {
        uuid: `if-dp${i + 1}eth0`,
        mode: 'host',
        port_name: 'eth0',
        owner_datapath_uuid: `dp-${i + 1}`,
        network_uuid: `nw-public${segment}`,
        mac_address: `02:01:00:00:00:0${i + 1}`,
        ipv4_address: ipv4,
      }),
      connect(`dp-${i + 1}`, i + 1, 'networks', `nw-public${segment}`, `02:00:01:${HEX[i]!}:01:01`),
    ]),
  ];
}

/** Two networks with the very same addresses; odd VMs are in the first, even ones in the second. */
export function simpleNw(): VnctlRequest[] {
  return [
    ...[1, 2].flatMap((n) => [...network(n, '10.101.0'), ...everywhere('networks', `nw-vnet${n}`, n)]),
    ...VMS.map((n) => vif(n, `nw-vnet${2 - (n % 2)}`, '10.101.0')),
  ];
}

/** The same without networks: who is who is the VMs' own affair. */
export function simpleSeg(): VnctlRequest[] {
  return [
    ...[1, 2].flatMap((n) => [add('segments', { uuid: `seg-vseg${n}`, mode: 'virtual' }), ...everywhere('segments', `seg-vseg${n}`, n)]),
    ...VMS.map((n) =>
      add('interfaces', {
        uuid: `if-v${n}`,
        mode: 'vif',
        port_name: `if-v${n}`,
        segment_uuid: `seg-vseg${2 - (n % 2)}`,
        mac_address: vmMac(n),
      }),
    ),
  ];
}

/** Two networks with a router between them. */
export function routerV2v(): VnctlRequest[] {
  return [
    ...[1, 2].flatMap((n) => [
      ...network(n, `10.10${n}.0`),
      ...everywhere('networks', `nw-vnet${n}`, n),
      simulated(`if-router${n}`, `nw-vnet${n}`, `02:00:00:00:02:0${n}`, `10.10${n}.0.1`, { enable_routing: 'true' }),
    ]),
    ...VMS.map((n) => vif(n, `nw-vnet${2 - (n % 2)}`, `10.10${2 - (n % 2)}.0`)),
    add('route_links', { uuid: 'rl-1', mac_address: '02:00:10:00:00:01' }),
    ...HEX.map((hex, i) => connect(`dp-${i + 1}`, i + 1, 'route_links', 'rl-1', `02:00:10:${hex}:00:01`)),
    ...[1, 2].map((n) =>
      add('routes', {
        uuid: `r-${n}`,
        interface_uuid: `if-router${n}`,
        network_uuid: `nw-vnet${n}`,
        route_link_uuid: 'rl-1',
        ipv4_network: `10.10${n}.0.0`,
      }),
    ),
  ];
}

/** if-vN in a network, at the address that VM has on its hypervisor. */
export function vif(n: number, network_uuid: string, prefix: string): VnctlRequest {
  return add('interfaces', {
    uuid: `if-v${n}`,
    mode: 'vif',
    port_name: `if-v${n}`,
    network_uuid,
    mac_address: vmMac(n),
    ipv4_address: `${prefix}.${hostOf(n)}`,
  });
}

/** Two VMs of a hypervisor have the same host part. */
export const hostOf = (n: number): number => 9 + Math.ceil(n / 2);

/** Connects a datapath, whatever its uuid, through the interface of the nth hypervisor. */
export function connect(datapath: string, n: number, relation: string, uuid: string, mac_address: string): VnctlRequest {
  return add(`datapaths/${datapath}/${relation}/${uuid}`, { interface_uuid: `if-dp${n}eth0`, mac_address });
}

function everywhere(relation: string, uuid: string, n: number): VnctlRequest[] {
  return HEX.map((hex, i) => connect(`dp-${i + 1}`, i + 1, relation, uuid, `02:00:00:${hex}:00:0${n}`));
}

function network(n: number, prefix: string): VnctlRequest[] {
  return [
    add('networks', {
      uuid: `nw-vnet${n}`,
      display_name: `vnet${n}`,
      ipv4_network: `${prefix}.0`,
      ipv4_prefix: '24',
      domain_name: `vnet${n}`,
      network_mode: 'virtual',
    }),
    simulated(`if-dhcp${n}`, `nw-vnet${n}`, `02:00:00:00:01:0${n}`, `${prefix}.2`),
    add('network_services', { uuid: `ns-dhcp${n}`, interface_uuid: `if-dhcp${n}`, mode: 'dhcp' }),
  ];
}

function simulated(
  uuid: string,
  network_uuid: string,
  mac_address: string,
  ipv4_address: string,
  more: Record<string, string> = {},
): VnctlRequest {
  return add('interfaces', { uuid, mode: 'simulated', network_uuid, mac_address, ipv4_address, ...more });
}
