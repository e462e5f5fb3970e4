/**
 * Where tunnels to this hypervisor end.
 *
 * Owns: joining what the configuration says with what the underlay's bridge has.
 * Assumes: an address that is not configured is on the device of the bridge of the underlay (its LOCAL port), in the network namespace this process runs in.
 * Promises: a pure function of configuration, rows and addresses. Without an address nothing is offered, unless others are told it by the model (mode explicit).
 */
import type { NetworkInterfaceInfo } from 'node:os';
import type { ChassisFacts } from '../../controller/messages/slice.js';
import type { ChassisEndpoint, Encapsulation } from '../../flows/model/entities/presence.js';
import { formatIp, isLinkLocalIpv6, parseIp } from '../../flows/net/ip.js';
import type { Row, Tables } from '../ovsdb/schema.js';

export interface OverlayOptions {
  /** Physical network → bridge. */
  readonly bridge_mappings: Readonly<Record<string, string>>;
  /** Preferred first; null: those of the underlay's bridge. */
  readonly addresses: readonly string[] | null;
  /** Offered, preferred first. */
  readonly encaps: readonly Encapsulation[];
  /** Whether frames may come and go without a tunnel on the physical network of the addresses. */
  readonly mac2mac: boolean;
  /** Name of the physical network the addresses are on. */
  readonly underlay: string;
  /** Bytes; null: that of the underlay's bridge. */
  readonly mtu: number | null;
  readonly mode: 'auto' | 'explicit';
  /** Milliseconds between probes of each way to another hypervisor; 0: none. */
  readonly probePeriodMs: number;
}

/** As if there were no other hypervisor. */
export const NO_OVERLAY: OverlayOptions = {
  bridge_mappings: {},
  addresses: null,
  encaps: ['geneve'],
  mac2mac: false,
  underlay: 'underlay',
  mtu: null,
  mode: 'auto',
  probePeriodMs: 0,
};

const DEFAULT_MTU = 1500;

/** @param devices as os.networkInterfaces gives them */
export function chassisFacts(
  { bridge_mappings, addresses, encaps, mac2mac, underlay, mtu, mode }: OverlayOptions,
  tables: Tables | undefined,
  devices: NodeJS.Dict<NetworkInterfaceInfo[]>,
): ChassisFacts {
  const bridge = bridge_mappings[underlay];
  const found = addresses?.map(canonical) ?? (bridge === undefined ? [] : addressesOf(devices[bridge] ?? []));
  const isExplicit = mode === 'explicit';
  const physical_networks = Object.keys(bridge_mappings).sort();
  if (found.length === 0 && !isExplicit) return { endpoints: [], encaps: [], underlay: null, physical_networks };
  const device = bridge === undefined || tables === undefined ? undefined : localPort(tables, bridge);
  const around = { mac: mac2mac ? (device?.mac_in_use ?? null) : null, underlay, mtu: mtu ?? device?.mtu ?? DEFAULT_MTU };
  return {
    endpoints: found.map((address): ChassisEndpoint => ({ address, ...around })),
    encaps: [...encaps],
    underlay: isExplicit ? around : null,
    physical_networks,
  };
}

/** Those that others can reach, IPv4 first. */
function addressesOf(infos: readonly NetworkInterfaceInfo[]): string[] {
  const usable = infos.filter(({ internal, address }) => !internal && !isLinkLocal(address));
  const rank = ({ family }: NetworkInterfaceInfo) => (family === 'IPv4' ? 0 : 1);
  return [...usable].sort((a, b) => rank(a) - rank(b)).map(({ address }) => canonical(address));
}

export function canonical(address: string): string {
  return formatIp(parseIp(address));
}

function isLinkLocal(address: string): boolean {
  const ip = parseIp(address);
  return ip.family === 'ipv6' && isLinkLocalIpv6(ip.value);
}

/** The device of a bridge itself. */
function localPort(tables: Tables, bridge: string): Row<'Interface'> | undefined {
  for (const row of tables.Interface.values()) if (row.name === bridge && row.type === 'internal') return row;
  return undefined;
}
