/**
 * What responders know of a slice.
 *
 * Owns: which server, router and parameters a lease comes with.
 * Promises: a network's server is the simulated interface there with a dhcp service, its router the one with enable_routing; of several, the one with the lowest
 * address. Where there is a router, it is the default router, whatever its routes: it alone knows what can be reached, and a VM that learnt more would have to
 * be told again whenever a route changes. Without a router nothing is said of routes.
 */
import type { SliceRecord } from '../../controller/messages/slice.js';
import type { Network } from '../../flows/model/entities/network.js';
import { cidrContains, cidrOf, type Ipv4Cidr } from '../../flows/net/cidr.js';
import { formatIp, isLinkLocalIpv6, parseIp, parseIpv4, parseIpv6, type Ip } from '../../flows/net/ip.js';
import { eui64LinkLocal, parseMac } from '../../flows/net/mac.js';
import type { AdvertisedPrefix, Advertisement, DhcpLease, Gateway, RespondContext, TranslatedAddress } from './contract.js';
import { PolicyNames } from './policy-names.js';
import { SliceIndex, type Station, type Attachment } from './slice-index.js';

export interface SliceContextOptions {
  /** MTU told to VMs of networks that have none of their own; 1500 unless told. */
  readonly default_mtu?: number;
  /** MTU that fits every way to other hypervisors; undefined where there is none. */
  readonly overlay_mtu?: () => number | undefined;
  /** 3600 unless told. */
  readonly lease_seconds?: number;
  /** Told after each change: the interfaces for which answers may differ. */
  readonly onChange?: (interfaces: ReadonlySet<string> | 'all') => void;
}

export class SliceContext implements RespondContext {
  readonly names = new PolicyNames();
  readonly #index = new SliceIndex();
  readonly #defaultMtu: number;
  readonly #leaseSeconds: number;
  readonly #overlayMtu: () => number | undefined;
  #toldOverlayMtu: number | undefined;
  readonly #onChange: SliceContextOptions['onChange'];

  constructor({ default_mtu = 1500, overlay_mtu = () => undefined, lease_seconds = 3600, onChange }: SliceContextOptions = {}) {
    this.#onChange = onChange;
    this.#defaultMtu = default_mtu;
    this.#overlayMtu = overlay_mtu;
    this.#toldOverlayMtu = overlay_mtu();
    this.#leaseSeconds = lease_seconds;
  }

  /** @param deletes uuids. */
  apply(puts: readonly SliceRecord[], deletes: readonly string[]): void {
    this.names.apply(puts, deletes);
    const interfaces = this.#index.apply(puts, deletes);
    this.#onChange?.(interfaces);
  }

  /** The whole slice: what is not in it is forgotten. */
  replace(records: readonly SliceRecord[]): void {
    this.names.replace(records);
    const interfaces = this.#index.replace(records);
    this.#onChange?.(interfaces);
  }

  dhcp(portKey: number, mac: number): readonly DhcpLease[] {
    const leases = this.#index.attachments(portKey).flatMap((attachment): DhcpLease[] => {
      if (attachment.mac !== mac || attachment.ip.family !== 'ipv4') return [];
      const network = this.#index.network(attachment.network_uuid);
      const prefix = network && ipv4Prefix(network);
      if (!prefix) return [];
      const stations = this.#stations(network, 'ipv4');
      const server = stations.find(({ serves_dhcp }) => serves_dhcp);
      if (server?.ip.family !== 'ipv4') return [];
      const router = stations.find(({ is_router }) => is_router);
      return [
        {
          address: attachment.ip.value,
          network: prefix,
          server_mac: server.mac,
          server_address: server.ip.value,
          router: router?.ip.family === 'ipv4' ? router.ip.value : undefined,
          dns_servers: network.dns_servers.map(parseIp).flatMap((ip) => (ip.family === 'ipv4' ? [ip.value] : [])),
          domain_name: network.domain_name,
          mtu: this.#mtuOf(network),
          lease_seconds: this.#leaseSeconds,
        },
      ];
    });
    return leases.sort((a, b) => a.address - b.address);
  }

  routerAdvertisements(portKey: number, mac: number): readonly Advertisement[] {
    return this.#advertisements(this.#index.attachments(portKey).filter((attachment) => attachment.mac === mac));
  }

  /** What the NICs of an interface are to be told unasked, all of them together. */
  unsolicitedAdvertisements(interfaceUuid: string): readonly Advertisement[] {
    return this.#advertisements(this.#index.attachmentsOf(interfaceUuid));
  }

  #advertisements(attached: readonly Attachment[]): readonly Advertisement[] {
    const bySpeaker = new Map<number, Advertisement>();
    for (const uuid of new Set(attached.map(({ network_uuid }) => network_uuid))) {
      const network = this.#index.network(uuid);
      const prefix = network && advertisedPrefix(network);
      if (!prefix) continue;
      const stations = this.#stations(network, 'ipv6');
      const speaker = stations.find(({ is_router }) => is_router) ?? stations[0];
      if (!speaker) continue;
      const other = bySpeaker.get(speaker.mac);
      const mtu = this.#mtuOf(network);
      const resolvers = network.dns_servers.map(parseIp).flatMap((ip) => (ip.family === 'ipv6' ? [ip.value] : []));
      bySpeaker.set(speaker.mac, {
        mac: speaker.mac,
        is_router: speaker.is_router,
        mtu: Math.min(mtu, other?.mtu ?? mtu),
        prefixes: [...(other?.prefixes ?? []), prefix],
        dns_servers: [...new Set([...(other?.dns_servers ?? []), ...resolvers])],
      });
    }
    return [...bySpeaker.values()];
  }

  translated(vrfKey: number, ip: Ip): TranslatedAddress | undefined {
    for (const { network_uuid, mac_address } of this.#index.translatedAt(formatIp(ip))) {
      const network = this.#index.network(network_uuid);
      if (network?.vrf_key !== vrfKey) continue;
      // The router's own address is at the router's own MAC.
      const own = this.#stations(network, ip.family).find((station) => station.ip.value === ip.value);
      const mac = own?.mac ?? (mac_address === null ? undefined : parseMac(mac_address));
      if (mac !== undefined) return { mac, segment_key: network.segment_key };
    }
    return undefined;
  }

  macOf(portKey: number, ip: Ip): number | undefined {
    if (ip.family === 'ipv6' && isLinkLocalIpv6(ip.value)) return this.#index.macs(portKey).find((mac) => eui64LinkLocal(mac) === ip.value);
    return this.#index.attachments(portKey).find((attachment) => attachment.ip.family === ip.family && attachment.ip.value === ip.value)
      ?.mac;
  }

  gatewayOf(portKey: number, ip: Ip): Gateway | undefined {
    for (const attachment of this.#index.attachments(portKey)) {
      if (attachment.ip.family !== ip.family || attachment.ip.value !== ip.value) continue;
      const network = this.#index.network(attachment.network_uuid);
      const router = network && this.#stations(network, ip.family).find(({ is_router }) => is_router);
      if (router !== undefined) return { mac: router.mac, ip: router.ip };
    }
    return undefined;
  }

  /** `overlay_mtu` may give another value now. */
  overlayChanged(): void {
    const mtu = this.#overlayMtu();
    if (mtu === this.#toldOverlayMtu) return;
    this.#toldOverlayMtu = mtu;
    this.#onChange?.('all');
  }

  /** What does not fit the overlay would only be sent to be refused. */
  #mtuOf(network: Network): number {
    return Math.min(network.mtu ?? this.#defaultMtu, this.#overlayMtu() ?? Infinity);
  }

  addressFacing(routerPortKey: number, host: Ip): Ip | undefined {
    const addresses = this.#index.attachments(routerPortKey).flatMap(({ ip, network_uuid }) => {
      const network = this.#index.network(network_uuid);
      return network === undefined || ip.family !== host.family ? [] : [{ ip, isNear: subnetHas(network, host) }];
    });
    const lowestFirst = addresses.sort((a, b) => (a.ip.value < b.ip.value ? -1 : 1));
    return (lowestFirst.find(({ isNear }) => isNear) ?? lowestFirst[0])?.ip;
  }

  /** Simulated interfaces with an address of the family in the network, lowest address first. */
  #stations({ uuid }: Network, family: Ip['family']): readonly Station[] {
    return this.#index
      .stations(uuid)
      .filter(({ ip }) => ip.family === family)
      .sort((a, b) => (a.ip.value < b.ip.value ? -1 : 1));
  }
}

function subnetHas(network: Network, ip: Ip): boolean {
  const subnet = ip.family === 'ipv4' ? ipv4Prefix(network) : advertisedPrefix(network)?.prefix;
  return subnet !== undefined && cidrContains(subnet, ip);
}

function ipv4Prefix({ ipv4_network, ipv4_prefix }: Network): Ipv4Cidr | undefined {
  if (ipv4_network === null || ipv4_prefix === null) return undefined;
  return cidrOf({ family: 'ipv4', value: parseIpv4(ipv4_network) }, ipv4_prefix);
}

function advertisedPrefix({ ipv6_network, ipv6_prefix, ipv6_slaac }: Network): AdvertisedPrefix | undefined {
  if (ipv6_network === null || ipv6_prefix === null) return undefined;
  return { prefix: cidrOf({ family: 'ipv6', value: parseIpv6(ipv6_network) }, ipv6_prefix), autonomous: ipv6_slaac };
}
