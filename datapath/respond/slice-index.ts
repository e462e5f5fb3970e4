/**
 * Records of a slice, and the joins responders ask for.
 *
 * Owns: the records by uuid, their indexes, and per network the simulated interfaces present there.
 * Assumes: records may come in any order; a reference may point to what is not here (yet).
 * Promises: what is answered depends on the records held, not on how they came; the cost of a change follows the change.
 */
import type { SliceRecord } from '../../controller/messages/slice.js';
import type { EntityOf } from '../../flows/model/entities.js';
import type { Interface, IpLease, MacLease } from '../../flows/model/entities/interface.js';
import type { Network } from '../../flows/model/entities/network.js';
import { formatIp, parseIp, type Ip } from '../../flows/net/ip.js';
import { parseMac } from '../../flows/net/mac.js';

/** An address of an interface, with the MAC that has it. */
export interface Attachment {
  readonly mac: number;
  readonly ip: Ip;
  readonly network_uuid: string;
}

/** An address of a simulated interface: something that answers for the network. */
export interface Station extends Attachment {
  readonly is_router: boolean;
  readonly serves_dhcp: boolean;
}

/** Kinds responders have a use for. */
type Held = EntityOf<'interface' | 'mac_lease' | 'ip_lease' | 'network' | 'network_service' | 'floating_ip' | 'nat_rule' | 'translation'>;

const HELD: readonly SliceRecord['kind'][] = [
  'interface',
  'mac_lease',
  'ip_lease',
  'network',
  'network_service',
  'floating_ip',
  'nat_rule',
  'translation',
] satisfies readonly Held['kind'][];

export class SliceIndex {
  readonly #records = new Map<string, Held>();
  /** Interface by port key. */
  readonly #interfaces = new Map<number, Interface>();
  readonly #macLeases = new Groups<MacLease>();
  readonly #leasesOfMac = new Groups<IpLease>();
  /** Leases of an interface that name none of its MACs. */
  readonly #leasesOfInterface = new Groups<IpLease>();
  /** By address: floating IPs, NAT rules and translations. */
  readonly #translations = new Groups<EntityOf<'floating_ip' | 'nat_rule' | 'translation'>>();
  readonly #services = new Groups<EntityOf<'network_service'>>();
  readonly #stations = new Map<string, readonly Station[]>();
  readonly #stationsOfNetwork = new Groups<{ readonly uuid: string; readonly stations: readonly Station[] }>();

  /** @returns interfaces whose attachments may differ now; `all` when a network or what answers for one differs */
  apply(puts: readonly SliceRecord[], deletes: readonly string[]): ReadonlySet<string> | 'all' {
    const touched = new Set<string>();
    const isNetwork = (uuid: string): boolean => this.#records.get(uuid)?.kind === 'network';
    let concernsAll = deletes.some(isNetwork) || puts.some(({ kind }) => kind === 'network');
    for (const uuid of deletes) this.#remove(uuid, touched);
    for (const record of puts) {
      this.#remove(record.uuid, touched);
      if (isHeld(record)) this.#add(record, touched);
    }
    for (const uuid of touched) if (this.#refreshStations(uuid)) concernsAll = true;
    return concernsAll ? 'all' : touched;
  }

  /** Forgets whatever is not among the records. */
  replace(records: readonly SliceRecord[]): ReadonlySet<string> | 'all' {
    const kept = new Set(records.map(({ uuid }) => uuid));
    return this.apply(
      records,
      [...this.#records.keys()].filter((uuid) => !kept.has(uuid)),
    );
  }

  network(uuid: string): Network | undefined {
    const record = this.#records.get(uuid);
    return record?.kind === 'network' ? record : undefined;
  }

  /** Addresses of the interface behind a port, by MAC lease and IP lease uuid. */
  attachments(portKey: number): readonly Attachment[] {
    const found = this.#interfaces.get(portKey);
    return found ? this.attachmentsOf(found.uuid) : [];
  }

  /** MACs of the interface behind a port. */
  macs(portKey: number): readonly number[] {
    const found = this.#interfaces.get(portKey);
    return found ? this.#macLeases.of(found.uuid).map(({ mac_address }) => parseMac(mac_address)) : [];
  }

  /** The networks in which an address stands for others, and its MAC if it has one of its own. */
  translatedAt(address: string): readonly { readonly network_uuid: string; readonly mac_address: string | null }[] {
    return this.#translations.of(address).flatMap((record): { network_uuid: string; mac_address: string | null }[] => {
      if (record.kind !== 'translation') return [record];
      const own = this.attachmentsOf(record.interface_uuid).filter(({ ip }) => formatIp(ip) === address);
      return own.map(({ network_uuid }) => ({ network_uuid, mac_address: null }));
    });
  }

  /** In no particular order. */
  stations(networkUuid: string): readonly Station[] {
    return this.#stationsOfNetwork
      .of(networkUuid)
      .flatMap(({ stations }) => stations.filter(({ network_uuid }) => network_uuid === networkUuid));
  }

  /** Addresses of an interface, each with its MAC and network. */
  attachmentsOf(interfaceUuid: string): readonly Attachment[] {
    // Leases that name no MAC belong to the first one.
    return this.#macLeases.of(interfaceUuid).flatMap((macLease, index) => {
      const leases = [...this.#leasesOfMac.of(macLease.uuid), ...(index === 0 ? this.#leasesOfInterface.of(interfaceUuid) : [])];
      const mac = parseMac(macLease.mac_address);
      return leases.map((lease) => ({
        mac,
        ip: parseIp((lease.ipv4_address ?? lease.ipv6_address)!),
        network_uuid: lease.network_uuid,
      }));
    });
  }

  /** @returns whether the interface is or was one that answers for networks */
  #refreshStations(interfaceUuid: string): boolean {
    const before = this.#stations.get(interfaceUuid);
    for (const { network_uuid } of before ?? []) this.#stationsOfNetwork.remove(network_uuid, interfaceUuid);
    this.#stations.delete(interfaceUuid);
    const record = this.#records.get(interfaceUuid);
    if (record?.kind !== 'interface' || record.mode !== 'simulated') return before !== undefined;
    const serves_dhcp = this.#services.of(interfaceUuid).some(({ mode }) => mode === 'dhcp');
    const stations = this.attachmentsOf(interfaceUuid).map((attachment) => ({
      ...attachment,
      is_router: record.enable_routing,
      serves_dhcp,
    }));
    this.#stations.set(interfaceUuid, stations);
    for (const { network_uuid } of stations) this.#stationsOfNetwork.add(network_uuid, { uuid: interfaceUuid, stations });
    return true;
  }

  #add(record: Held, touched: Set<string>): void {
    this.#records.set(record.uuid, record);
    switch (record.kind) {
      case 'interface':
        this.#interfaces.set(record.port_key, record);
        break;
      case 'mac_lease':
        this.#macLeases.add(record.interface_uuid, record);
        break;
      case 'ip_lease':
        if (record.mac_lease_uuid !== null) this.#leasesOfMac.add(record.mac_lease_uuid, record);
        else if (record.interface_uuid !== null) this.#leasesOfInterface.add(record.interface_uuid, record);
        break;
      case 'network_service':
        if (record.interface_uuid !== null) this.#services.add(record.interface_uuid, record);
        break;
      case 'floating_ip':
      case 'nat_rule':
      case 'translation':
        for (const address of addressesOf(record)) this.#translations.add(address, record);
        break;
      case 'network':
        break;
    }
    this.#touch(record, touched);
  }

  #remove(uuid: string, touched: Set<string>): void {
    const record = this.#records.get(uuid);
    if (!record) return;
    this.#touch(record, touched);
    this.#records.delete(uuid);
    switch (record.kind) {
      case 'interface':
        if (this.#interfaces.get(record.port_key) === record) this.#interfaces.delete(record.port_key);
        break;
      case 'mac_lease':
        this.#macLeases.remove(record.interface_uuid, uuid);
        break;
      case 'ip_lease':
        if (record.mac_lease_uuid !== null) this.#leasesOfMac.remove(record.mac_lease_uuid, uuid);
        else if (record.interface_uuid !== null) this.#leasesOfInterface.remove(record.interface_uuid, uuid);
        break;
      case 'network_service':
        if (record.interface_uuid !== null) this.#services.remove(record.interface_uuid, uuid);
        break;
      case 'floating_ip':
      case 'nat_rule':
      case 'translation':
        for (const address of addressesOf(record)) this.#translations.remove(address, uuid);
        break;
      case 'network':
        break;
    }
  }

  /** Notes the interface whose addresses or services the record is part of. */
  #touch(record: Held, touched: Set<string>): void {
    switch (record.kind) {
      case 'interface':
        touched.add(record.uuid);
        break;
      case 'mac_lease':
        touched.add(record.interface_uuid);
        break;
      case 'ip_lease': {
        const macLease = record.mac_lease_uuid === null ? undefined : this.#records.get(record.mac_lease_uuid);
        const owner = macLease?.kind === 'mac_lease' ? macLease.interface_uuid : record.interface_uuid;
        if (owner !== null) touched.add(owner);
        break;
      }
      case 'network_service':
        if (record.interface_uuid !== null) touched.add(record.interface_uuid);
        break;
      case 'floating_ip':
      case 'nat_rule':
      case 'translation':
      case 'network':
        break;
    }
  }
}

/** What stands for others by the record. */
function addressesOf(record: EntityOf<'floating_ip' | 'nat_rule' | 'translation'>): ReadonlySet<string> {
  return record.kind === 'translation'
    ? new Set(record.static_addresses.map(({ ingress_ipv4_address }) => ingress_ipv4_address))
    : new Set([record.ip_address]);
}

function isHeld(record: SliceRecord): record is Held {
  return HELD.includes(record.kind);
}

/** Values by key, each key's in uuid order. */
class Groups<T extends { readonly uuid: string }> {
  readonly #groups = new Map<string, Map<string, T>>();

  add(key: string, value: T): void {
    let group = this.#groups.get(key);
    if (!group) this.#groups.set(key, (group = new Map<string, T>()));
    group.set(value.uuid, value);
  }

  remove(key: string, uuid: string): void {
    const group = this.#groups.get(key);
    group?.delete(uuid);
    if (group?.size === 0) this.#groups.delete(key);
  }

  of(key: string): readonly T[] {
    const group = this.#groups.get(key);
    return group ? [...group.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1)) : [];
  }
}
