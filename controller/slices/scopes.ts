/**
 * Who may need to know a record.
 *
 * Owns: the scopes of every record: routing domains (`vrf:<key>`), and for what is in none, the datapath it is plugged at (`dp:<uuid>`). A datapath
 * hears of the scopes it is interested in.
 * Promises: after an update, scopes are what they would be if computed anew; the cost follows what changed, and, where a network changes its
 * domain, what is in that network.
 */
import type { Entity } from '../../flows/model/entities.js';
import type { Interface } from '../../flows/model/entities/interface.js';
import type { SecurityGroup } from '../../flows/model/entities/security-group.js';
import { entityOf, macDomain, referrers } from '../../flows/model/view.js';
import type { Model } from '../../flows/model/model.js';
import type { EntityChange } from '../transaction/transaction.js';
import type { BindingChange, Bindings } from './bindings.js';
import { bindingUuid } from './claims.js';
import { Counted } from './counted.js';

export type Scope = string;
export type Scopes = readonly Scope[];

export const vrfScope = (vrf: number): Scope => `vrf:${vrf}`;
/** The domain a scope is; undefined for one that is none. */
export const vrfOfScope = (scope: Scope): number | undefined => (scope.startsWith('vrf:') ? Number(scope.slice(4)) : undefined);
export const datapathScope = (datapath: string): Scope => `dp:${datapath}`;

const NOWHERE: Scopes = [];
const NONE: ReadonlySet<Scope> = new Set();

export interface ScopeUpdate {
  /** Every record whose content or scopes may have changed, with the scopes it had before. */
  readonly moved: ReadonlyMap<string, Scopes>;
  /** The interfaces among them as they were before. */
  readonly interfaces: ReadonlyMap<string, Interface | undefined>;
}

export class ScopeIndex {
  private readonly model: Model;
  private readonly bindings: Bindings;
  private readonly scopes = new Map<string, Scopes>();
  private readonly members = new Map<Scope, Set<string>>();
  /** One array per lone scope: most records are in one. */
  private readonly lone = new Map<Scope, Scopes>();
  /** Scopes by group or policy class, counted by the interfaces there that have it. */
  private readonly had = new Counted<string, Scope>();
  /** Scopes by group or address set, counted by the groups had there whose rules mention it. */
  private readonly mentioned = new Counted<string, Scope>();
  /** What the update under way has looked at. */
  private moved = new Map<string, Scopes>();
  /** Groups, policy classes and address sets that it has to place: each once, since they can be in very many scopes. */
  private readonly used = new Set<string>();

  constructor(model: Model, bindings: Bindings) {
    this.model = model;
    this.bindings = bindings;
  }

  of(uuid: string): Scopes {
    return this.scopes.get(uuid) ?? NOWHERE;
  }

  in(scope: Scope): Iterable<string> {
    return this.members.get(scope) ?? NOWHERE;
  }

  /** Follows changes that the model and the bindings have already. */
  update(changes: readonly EntityChange[], bound: readonly BindingChange[]): ScopeUpdate {
    this.moved = new Map();
    const touched = touchedBy(this.model, changes);
    for (const { interface_uuid } of bound) touched.interfaces.add(interface_uuid);
    for (const change of changes) if (kindOf(change) === 'security_group') this.followRules(change);

    for (const uuid of touched.records) this.place(uuid, this.scopesOf(uuid));
    const changed = new Map<string, Interface | undefined>();
    for (const { uuid, before, after } of changes)
      if (before?.kind === 'interface') changed.set(uuid, before);
      else if (after?.kind === 'interface') changed.set(uuid, undefined);
    const interfaces = new Map<string, Interface | undefined>();
    for (const uuid of touched.interfaces) {
      const before = changed.has(uuid) ? changed.get(uuid) : entityOf(this.model, 'interface', uuid);
      interfaces.set(uuid, before);
      this.placeInterface(uuid, before);
    }
    for (const uuid of touched.macLeases) this.place(uuid, this.scopesOf(uuid));
    for (const uuid of this.used) this.placeUsed(uuid);
    this.used.clear();
    return { moved: this.moved, interfaces };
  }

  private placeInterface(uuid: string, before: Interface | undefined): void {
    const after = entityOf(this.model, 'interface', uuid);
    const [was, is] = [this.of(uuid), this.interfaceScopes(uuid)];
    this.place(uuid, is);
    this.countUse(was, before ? pulled(before) : [], -1);
    this.countUse(is, after ? pulled(after) : [], 1);
    this.place(bindingUuid(uuid), this.bindings.get(uuid) ? is : NOWHERE);
    for (const service of referrers(this.model, 'network_service', uuid)) this.place(service.uuid, is);
    for (const kind of ['filter', 'translation'] as const)
      for (const owned of referrers(this.model, kind, uuid)) this.place(owned.uuid, is);
    for (const lease of referrers(this.model, 'mac_lease', uuid)) this.place(lease.uuid, this.scopesOf(lease.uuid));
  }

  private countUse(scopes: Scopes, used: readonly string[], by: 1 | -1): void {
    for (const uuid of used)
      for (const scope of scopes) {
        if (!this.had.add(uuid, scope, by)) continue;
        const group = entityOf(this.model, 'security_group', uuid);
        for (const target of group ? mentions(group) : []) this.mention(target, scope, by);
        this.used.add(uuid);
      }
  }

  /** Another set of rules mentions other groups wherever the group is had. */
  private followRules({ uuid, before, after }: EntityChange): void {
    for (const scope of this.had.get(uuid).keys()) {
      if (before?.kind === 'security_group') for (const target of mentions(before)) this.mention(target, scope, -1);
      if (after?.kind === 'security_group') for (const target of mentions(after)) this.mention(target, scope, 1);
    }
    this.used.add(uuid);
  }

  private mention(target: string, scope: Scope, by: 1 | -1): void {
    if (this.mentioned.add(target, scope, by)) this.used.add(target);
  }

  /** A group, policy class or address set is wherever it is had or mentioned. */
  private placeUsed(uuid: string): void {
    const scopes = new Set([...this.had.get(uuid).keys(), ...this.mentioned.get(uuid).keys()]);
    this.place(uuid, this.model.get(uuid) ? [...scopes] : NOWHERE);
  }

  private scopesOf(uuid: string): Scopes {
    const entity = this.model.get(uuid);
    switch (entity?.kind) {
      case undefined:
        return NOWHERE;
      case 'datapath':
        return this.alone(datapathScope(uuid));
      case 'network':
      case 'segment':
        return this.alone(vrfScope(entity.vrf_key));
      case 'ip_lease':
        return this.domainOf(entity.network_uuid);
      case 'route':
        return entity.network_uuid === null ? this.linkScopes(entity.route_link_uuid) : this.domainOf(entity.network_uuid);
      case 'floating_ip':
        return this.domainOf(entity.network_uuid);
      case 'nat_rule':
      case 'policy_route':
        return this.linkScopes(entity.route_link_uuid);
      case 'route_link':
        return this.linkScopes(uuid);
      case 'mac_lease': {
        const domain = macDomain(this.model, entity);
        return domain === undefined ? this.of(entity.interface_uuid) : this.domainOf(domain);
      }
      case 'datapath_network':
        return this.domainOf(entity.network_uuid);
      case 'datapath_segment':
        return this.domainOf(entity.segment_uuid);
      case 'datapath_route_link':
        return this.scopesOf(entity.route_link_uuid);
      case 'tunnel':
        return [datapathScope(entity.datapath_uuid), datapathScope(entity.peer_datapath_uuid)];
      case 'interface_port':
        // What NICs are is decided before slices are made.
        return NOWHERE;
      case 'network_service':
        return entity.interface_uuid === null ? NOWHERE : this.of(entity.interface_uuid);
      case 'filter':
      case 'translation':
        return this.of(entity.interface_uuid);
      case 'interface':
      case 'security_group':
      case 'address_set':
      case 'policy_class':
        return this.of(uuid);
      case 'router':
      case 'vif':
      case 'chassis':
        return NOWHERE;
    }
  }

  /** The domains of its leases; where it is plugged when it has none. */
  private interfaceScopes(uuid: string): Scopes {
    if (entityOf(this.model, 'interface', uuid) === undefined) return NOWHERE;
    const domains = new Set<Scope>();
    for (const lease of referrers(this.model, 'ip_lease', uuid)) for (const scope of this.domainOf(lease.network_uuid)) domains.add(scope);
    for (const lease of referrers(this.model, 'mac_lease', uuid))
      if (lease.segment_uuid !== null) for (const scope of this.domainOf(lease.segment_uuid)) domains.add(scope);
    const [first] = domains;
    if (first !== undefined) return domains.size === 1 ? this.alone(first) : [...domains];
    const binding = this.bindings.get(uuid);
    return binding ? this.alone(datapathScope(binding.datapath_uuid)) : NOWHERE;
  }

  /** A router is in one domain: that of any network it has a port in. */
  private linkScopes(uuid: string): Scopes {
    for (const { network_uuid } of referrers(this.model, 'route', uuid)) if (network_uuid !== null) return this.domainOf(network_uuid);
    return NOWHERE;
  }

  /** Of a network or segment. */
  private domainOf(uuid: string): Scopes {
    const entity = this.model.get(uuid);
    return entity?.kind === 'network' || entity?.kind === 'segment' ? this.alone(vrfScope(entity.vrf_key)) : NOWHERE;
  }

  private alone(scope: Scope): Scopes {
    let scopes = this.lone.get(scope);
    if (scopes === undefined) this.lone.set(scope, (scopes = [scope]));
    return scopes;
  }

  private place(uuid: string, is: Scopes): void {
    const was = this.of(uuid);
    if (!this.moved.has(uuid)) this.moved.set(uuid, was);
    if (was === is) return;
    // A group can be in very many; most records are in one, and come from none.
    const [left, entered] = was.length === 0 || is.length === 0 ? [NONE, NONE] : [new Set(was), new Set(is)];
    for (const scope of was) if (!entered.has(scope)) this.leave(uuid, scope);
    for (const scope of is) if (!left.has(scope)) this.enter(uuid, scope);
    if (is.length === 0) this.scopes.delete(uuid);
    else this.scopes.set(uuid, is);
  }

  private enter(uuid: string, scope: Scope): void {
    let members = this.members.get(scope);
    if (members === undefined) this.members.set(scope, (members = new Set()));
    members.add(uuid);
  }

  private leave(uuid: string, scope: Scope): void {
    const members = this.members.get(scope);
    members?.delete(uuid);
    if (members?.size !== 0) return;
    this.members.delete(scope);
    this.lone.delete(scope);
  }
}

/** Records to be placed anew: those whose scopes follow from networks, then interfaces, then what follows from interfaces. */
interface Touched {
  readonly records: Set<string>;
  readonly interfaces: Set<string>;
  readonly macLeases: Set<string>;
  /** Route links whose routes and policies without a network of their own are among the records. */
  readonly links: Set<string>;
}

function touchedBy(model: Model, changes: readonly EntityChange[]): Touched {
  const touched: Touched = { records: new Set(), interfaces: new Set(), macLeases: new Set(), links: new Set() };
  const { records, interfaces, macLeases } = touched;
  for (const { uuid, before, after } of changes) {
    const { kind } = (after ?? before)!;
    if (kind === 'mac_lease') macLeases.add(uuid);
    else if (kind !== 'interface') records.add(uuid);
    if (vrfOf(before) !== vrfOf(after)) touchContents(model, uuid, touched);
    for (const entity of [before, after]) {
      if (entity?.kind === 'interface') interfaces.add(uuid);
      else if (entity?.kind === 'mac_lease') interfaces.add(entity.interface_uuid);
      else if (entity?.kind === 'route' && entity.network_uuid !== null) touchRouter(model, entity.route_link_uuid, touched);
      else if (entity?.kind === 'ip_lease') {
        if (entity.interface_uuid !== null) interfaces.add(entity.interface_uuid);
        if (entity.mac_lease_uuid !== null) macLeases.add(entity.mac_lease_uuid);
      }
    }
  }
  return touched;
}

/** What is in a network or segment, and goes where it goes. */
function touchContents(model: Model, uuid: string, touched: Touched): void {
  const { records, interfaces, macLeases } = touched;
  for (const lease of referrers(model, 'ip_lease', uuid)) {
    records.add(lease.uuid);
    if (lease.interface_uuid !== null) interfaces.add(lease.interface_uuid);
    if (lease.mac_lease_uuid !== null) macLeases.add(lease.mac_lease_uuid);
  }
  for (const lease of referrers(model, 'mac_lease', uuid)) {
    macLeases.add(lease.uuid);
    interfaces.add(lease.interface_uuid);
  }
  for (const route of referrers(model, 'route', uuid)) {
    records.add(route.uuid);
    touchRouter(model, route.route_link_uuid, touched);
  }
  for (const kind of ['datapath_network', 'datapath_segment', 'floating_ip'] as const)
    for (const link of referrers(model, kind, uuid)) records.add(link.uuid);
}

/** A virtual router is where its routes are, and takes along which datapaths it reaches and what it sends where. */
function touchRouter(model: Model, routeLink: string, { records, links }: Touched): void {
  if (links.has(routeLink)) return;
  links.add(routeLink);
  records.add(routeLink);
  for (const link of referrers(model, 'datapath_route_link', routeLink)) records.add(link.uuid);
  for (const route of referrers(model, 'route', routeLink)) if (route.network_uuid === null) records.add(route.uuid);
  for (const kind of ['policy_route', 'nat_rule'] as const) for (const owned of referrers(model, kind, routeLink)) records.add(owned.uuid);
}

function vrfOf(entity: Entity | undefined): number | undefined {
  return entity?.kind === 'network' || entity?.kind === 'segment' ? entity.vrf_key : undefined;
}

function kindOf({ before, after }: EntityChange): Entity['kind'] {
  return (after ?? before)!.kind;
}

/** What comes along with an interface. */
function pulled(iface: Interface): readonly string[] {
  return iface.policy_class_key === 0 ? iface.security_group_uuids : [...iface.security_group_uuids, `pc-${iface.policy_class_key}`];
}

/** Groups and address sets that its rules name. */
function mentions(group: SecurityGroup): ReadonlySet<string> {
  return new Set(
    group.rules.flatMap(({ remote }) =>
      'security_group_uuid' in remote ? [remote.security_group_uuid] : 'address_set_uuid' in remote ? [remote.address_set_uuid] : [],
    ),
  );
}
