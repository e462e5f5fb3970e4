/**
 * What of a model looks at addresses.
 *
 * Owns: every prefix that rules, address sets, routes, policy routes, translations, filters and networks name, found by the addresses in them; addresses
 * that several have.
 * Promises: two addresses of one network with the same marks are told apart by nothing of this.
 */
import type { Entity, EntityKind, EntityOf } from '../../model/entities.js';
import { kindIndex } from '../../model/indexes.js';
import { destination, subnets } from '../../model/subnets.js';
import { entityOf, type ModelView } from '../../model/view.js';
import { cidrOf, parseCidr, parsePrefix, type Cidr } from '../../net/cidr.js';
import type { Ip } from '../../net/ip.js';

/** Prefixes that flows tell apart whatever the model says: multicast, broadcast, link-local, loopback, unspecified. */
const ALWAYS = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4', '::/64', 'fe80::/10', 'ff00::/8'];

export class Marks {
  /** Who names a prefix, by family and length, then by the network. */
  private readonly prefixes = new Map<
    string,
    { readonly length: number; readonly family: Ip['family']; readonly by: Map<string, string[]> }
  >();
  /** How many leases of a routing domain have an address. */
  private readonly holders = new Map<string, number>();
  /** Routing domains where the hash of a flow decides which way it goes. */
  private readonly spread = new Set<number>();

  constructor(model: ModelView) {
    for (const text of ALWAYS) this.add(parseCidr(text), text);
    for (const kind of MARKING) for (const entity of all(model, kind)) for (const [mark, prefix] of named(entity)) this.add(prefix, mark);
    for (const lease of all(model, 'ip_lease')) {
      const at = holding(entityOf(model, 'network', lease.network_uuid)?.vrf_key ?? 0, (lease.ipv4_address ?? lease.ipv6_address)!);
      this.holders.set(at, (this.holders.get(at) ?? 0) + 1);
    }
    const spreading = new Set(
      [...all(model, 'route'), ...all(model, 'policy_route')].filter(({ via }) => via.length > 1).map((one) => one.route_link_uuid),
    );
    if (spreading.size === 0) return;
    for (const { route_link_uuid, network_uuid } of all(model, 'route')) {
      const network = spreading.has(route_link_uuid) ? entityOf(model, 'network', network_uuid) : undefined;
      if (network !== undefined) this.spread.add(network.vrf_key);
    }
  }

  /** Who names a prefix that the address is in, in one text. */
  of(ip: Ip): string {
    const found = new Set<string>();
    for (const { length, family, by } of this.prefixes.values())
      if (family === ip.family) for (const mark of by.get(String(cidrOf(ip, length).network)) ?? []) found.add(mark);
    return [...found].sort().join(' ');
  }

  /** Whether another lease of the routing domain has the address too. */
  isShared(vrf: number, address: string): boolean {
    return (this.holders.get(holding(vrf, address)) ?? 0) > 1;
  }

  /** Whether routers of the domain choose among next hops by the addresses of a flow. */
  isSpread(vrf: number): boolean {
    return this.spread.has(vrf);
  }

  private add({ family, prefix: length, network }: Cidr, mark: string): void {
    const at = `${family} ${length}`;
    let group = this.prefixes.get(at);
    if (group === undefined) this.prefixes.set(at, (group = { length, family, by: new Map() }));
    const marks = group.by.get(String(network));
    if (marks === undefined) group.by.set(String(network), [mark]);
    else marks.push(mark);
  }
}

const holding = (vrf: number, address: string) => `${vrf} ${address}`;

const MARKING = [
  'network',
  'security_group',
  'address_set',
  'route',
  'policy_route',
  'filter',
  'nat_rule',
  'floating_ip',
  'translation',
] as const;
type Marking = EntityOf<(typeof MARKING)[number]>;

/** The prefixes an entity names, each with what stands for whatever it says of them. */
function named(entity: Marking): (readonly [string, Cidr])[] {
  const some = (mark: string, ...texts: readonly (string | null)[]) =>
    texts.flatMap((text) => (text === null ? [] : [[`${entity.uuid}${mark}`, parsePrefix(text)] as const]));
  switch (entity.kind) {
    case 'network':
      return subnets(entity).map(({ cidr }) => [entity.uuid, cidr]);
    case 'security_group':
      return entity.rules.flatMap(({ uuid, remote }) => ('cidr' in remote ? some(`/${uuid}`, remote.cidr) : []));
    case 'address_set':
      return some('', ...entity.addresses);
    case 'route': {
      const to = destination(entity);
      return [...(to === undefined ? [] : some('', to.text)), ...some('/via', ...entity.via)];
    }
    case 'policy_route':
      return [...some('/from', entity.source), ...some('/to', entity.destination), ...some('/via', ...entity.via)];
    case 'filter':
      return entity.statics.flatMap((row, at) => [...some(`/${at}/from`, row.src_address), ...some(`/${at}/to`, row.dst_address)]);
    case 'nat_rule':
      return [...some('/from', entity.source), ...some('', entity.ip_address)];
    case 'floating_ip':
      return some('', entity.ip_address);
    case 'translation':
      return entity.static_addresses.flatMap((row, at) => [
        ...some(`/${at}/outside`, row.ingress_ipv4_address),
        ...some(`/${at}/inside`, row.egress_ipv4_address),
      ]);
  }
}

function* all<K extends EntityKind>(model: ModelView, kind: K): Generator<EntityOf<K>> {
  for (const uuid of model.from(kindIndex(kind), '')) yield model.get(uuid) as Entity as EntityOf<K>;
}
