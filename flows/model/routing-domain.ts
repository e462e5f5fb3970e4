/**
 * Routing domains: which networks can reach one another through routers.
 *
 * Owns: the `vrf_key` of networks and segments: one per connected component of networks joined by route links, segments and the routing table they name.
 * Promises: merging keeps the key of the larger part, splitting leaves it with the larger part, so that few entities change their key. The cost
 * follows what changes its key: the largest part of a domain is not walked.
 *
 * A node is a network, a segment, a route link or a named routing table; an edge joins a network to its segment or table, or to a route link by a route.
 */
import type { Draft, Touched } from './draft.js';
import type { Entity } from './entities.js';
import { vrfKey, vrfNameKey } from './indexes.js';
import { entityOf, referrers } from './view.js';

/** Brings every `vrf_key` in line with the transaction under way on the draft. */
export function assignRoutingDomains(draft: Draft, newKey: () => number): void {
  for (const region of regions(draft)) {
    if (region.cut) assignParts(draft, region, newKey);
    else assignWhole(draft, region, newKey);
  }
}

/** What the transaction may have joined or cut: old domains connected by new edges. */
interface Region {
  /** Nodes at the ends of changed edges, and new ones. All are in the draft. */
  readonly nodes: Set<string>;
  /** Keys of the domains it was. */
  readonly keys: Set<number>;
  /** An edge was removed. */
  cut: boolean;
}

type Edge = readonly [network: string, other: string];

function regions(draft: Draft): Region[] {
  const { added, removed } = changedEdges(draft);
  const domainOf = oldDomains(draft);
  const sets = new DisjointSets();
  for (const [network, other] of added) sets.join(domainOf(network), domainOf(other));

  const found = new Map<string, Region>();
  const include = (node: string): Region | undefined => {
    if (!exists(draft, node)) return undefined;
    const domain = domainOf(node);
    const root = sets.find(domain);
    let region = found.get(root);
    if (region === undefined) found.set(root, (region = { nodes: new Set(), keys: new Set(), cut: false }));
    region.nodes.add(node);
    if (domain.startsWith(OLD)) region.keys.add(Number(domain.slice(OLD.length)));
    return region;
  };
  for (const kind of ['network', 'segment'] as const)
    for (const { uuid, after } of draft.touchedOf(kind)) if (after?.vrf_key === 0) include(uuid);
  for (const edge of added) for (const node of edge) include(node);
  for (const edge of removed)
    for (const node of edge) {
      const region = include(node);
      if (region) region.cut = true;
    }
  return [...found.values()];
}

/** Edges that the touched networks and routes have now and had not, and the reverse. */
function changedEdges(draft: Draft): { added: Edge[]; removed: Edge[] } {
  const added: Edge[] = [];
  const removed: Edge[] = [];
  for (const { before, after } of touchedEnds(draft)) {
    const [was, is] = [edgesOf(before), edgesOf(after)];
    for (const edge of was) if (!is.some((other) => sameEdge(edge, other))) removed.push(edge);
    for (const edge of is) if (!was.some((other) => sameEdge(edge, other))) added.push(edge);
  }
  return { added, removed };
}

/** What has edges. */
function touchedEnds(draft: Draft): readonly (Touched<'network'> | Touched<'route'>)[] {
  return [...draft.touchedOf('network'), ...draft.touchedOf('route')];
}

function edgesOf(entity: Entity | undefined): Edge[] {
  if (entity?.kind === 'network')
    return [entity.segment_uuid, tableNode(entity.vrf)].flatMap((other): Edge[] => (other === null ? [] : [[entity.uuid, other]]));
  if (entity?.kind === 'route' && entity.network_uuid !== null) return [[entity.network_uuid, entity.route_link_uuid]];
  return [];
}

function sameEdge(a: Edge, b: Edge): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

/** Not a uuid: those have no space. */
const TABLE = 'table ';

function tableNode(name: string | null): string | null {
  return name === null ? null : `${TABLE}${name}`;
}

/** The networks that name the table a node is; undefined when it is none. */
function tableMembers(draft: Draft, node: string): Iterable<string> | undefined {
  return node.startsWith(TABLE) ? draft.lookup(vrfNameKey(node.slice(TABLE.length))) : undefined;
}

function exists(draft: Draft, node: string): boolean {
  return node.startsWith(TABLE) ? draft.count(vrfNameKey(node.slice(TABLE.length))) > 0 : draft.get(node) !== undefined;
}

/** 0 for what has none yet; undefined for what never has one. */
function keyOf(entity: Entity | undefined): number | undefined {
  return entity?.kind === 'network' || entity?.kind === 'segment' ? entity.vrf_key : undefined;
}

const OLD = 'old ';

/** Names the domain a node was in before the transaction: `old <key>`, or a name of its own. */
function oldDomains(draft: Draft): (node: string) => string {
  const known = new Map<string, string>();
  const ofNetwork = (uuid: string) => {
    const key = keyOf(draft.original(uuid));
    return key === undefined || key === 0 ? undefined : `${OLD}${key}`;
  };
  const ofRouteLink = (uuid: string) => {
    for (const route of referrers(draft, 'route', uuid))
      if (route.network_uuid !== null && !draft.touched().has(route.uuid)) return ofNetwork(route.network_uuid);
    return undefined;
  };
  const ofTable = (node: string) => {
    for (const uuid of tableMembers(draft, node) ?? []) if (!draft.touched().has(uuid)) return ofNetwork(uuid);
    return undefined;
  };
  // A route link or table whose routes or networks are all touched was where those that are gone or changed were.
  for (const { before } of touchedEnds(draft))
    for (const [network, other] of edgesOf(before))
      if (before?.kind === 'route' || other.startsWith(TABLE)) known.set(other, ofNetwork(network) ?? other);
  return (node) => {
    let domain = known.get(node);
    if (domain === undefined) known.set(node, (domain = ofNetwork(node) ?? ofRouteLink(node) ?? ofTable(node) ?? node));
    return domain;
  };
}

/** Nothing was cut: the region is one domain. */
function assignWhole(draft: Draft, region: Region, newKey: () => number): void {
  const winner = [...region.keys].sort((a, b) => draft.count(vrfKey(b)) - draft.count(vrfKey(a)) || a - b)[0] ?? newKey();
  for (const key of region.keys) if (key !== winner) for (const uuid of [...draft.lookup(vrfKey(key))]) setKey(draft, uuid, winner);
  for (const node of region.nodes) setKey(draft, node, winner);
}

/** Something was cut: finds the parts, and leaves each key with the part that has most of its members. */
function assignParts(draft: Draft, region: Region, newKey: () => number): void {
  const parts = walkParts(draft, region);
  const walked = new Set(parts.flatMap((part) => part.members ?? []));
  const keys = chooseKeys(sharesOf(draft, region, parts));
  for (const [index, part] of parts.entries()) {
    let key = keys.get(index);
    const unwalked = () =>
      [...region.keys].flatMap((old) => (old === key ? [] : [...draft.lookup(vrfKey(old))].filter((uuid) => !walked.has(uuid))));
    for (const uuid of [...part.sources, ...(part.members ?? unwalked())])
      if (keyOf(draft.get(uuid)) !== undefined) setKey(draft, uuid, (key ??= newKey()));
  }
}

/** How many members of an old domain are in a part. */
interface Share {
  readonly part: number;
  readonly key: number;
  readonly members: number;
}

function sharesOf(draft: Draft, region: Region, parts: readonly Part[]): Share[] {
  const left = new Map([...region.keys].map((key) => [key, draft.count(vrfKey(key))]));
  const shares: Share[] = [];
  for (const [part, { members }] of parts.entries()) {
    const counts = new Map<number, number>();
    for (const uuid of members ?? []) {
      const key = keyOf(draft.get(uuid))!;
      if (left.has(key)) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    for (const [key, count] of counts) {
      shares.push({ part, key, members: count });
      left.set(key, left.get(key)! - count);
    }
  }
  const rest = parts.findIndex(({ members }) => members === undefined);
  for (const [key, members] of left) if (rest >= 0 && members > 0) shares.push({ part: rest, key, members });
  return shares;
}

/** One key per part and one part per key, the largest shares first. */
function chooseKeys(shares: readonly Share[]): ReadonlyMap<number, number> {
  const chosen = new Map<number, number>();
  const taken = new Set<number>();
  for (const { part, key } of [...shares].sort((a, b) => b.members - a.members || a.key - b.key || a.part - b.part)) {
    if (chosen.has(part) || taken.has(key)) continue;
    chosen.set(part, key);
    taken.add(key);
  }
  return chosen;
}

function setKey(draft: Draft, uuid: string, key: number): void {
  const entity = draft.get(uuid);
  if ((entity?.kind === 'network' || entity?.kind === 'segment') && entity.vrf_key !== key) draft.put({ ...entity, vrf_key: key });
}

/** A connected part of a region. */
interface Part {
  /** The region's nodes in it. */
  readonly sources: string[];
  /** Networks and segments in it; undefined for the one part that was not walked to its end. */
  readonly members: string[] | undefined;
}

/** A part while it is explored: neighbours are taken one at a time, so that a part with a huge hub costs no more than the others. */
interface Front {
  readonly sources: string[];
  readonly members: string[];
  readonly frontiers: Iterator<string>[];
}

/** Explores from all nodes in turns, joining fronts that meet, until at most one is unfinished. */
function walkParts(draft: Draft, region: Region): Part[] {
  const owner = new Map<string, Front>();
  const joined = new Map<Front, Front>();
  const current = (front: Front): Front => {
    let at = front;
    for (let next = joined.get(at); next; next = joined.get(at)) at = next;
    return at;
  };
  const active = new Set<Front>();
  const finished: Part[] = [];
  const enter = (node: string, front: Front) => {
    owner.set(node, front);
    if (keyOf(draft.get(node)) !== undefined) front.members.push(node);
    front.frontiers.push(neighbours(draft, node));
  };
  for (const node of region.nodes) {
    const front: Front = { sources: [node], members: [], frontiers: [] };
    enter(node, front);
    active.add(front);
  }
  while (active.size > 1) {
    for (const front of active) {
      if (active.size === 1) break;
      const next = front.frontiers.at(-1)?.next();
      if (next === undefined) {
        active.delete(front);
        finished.push(front);
      } else if (next.done) front.frontiers.pop();
      else {
        const met = owner.get(next.value);
        const other = met && current(met);
        if (other === undefined) enter(next.value, front);
        else if (other !== front) merge(front, other);
      }
    }
  }
  return [...finished, ...[...active].map((front) => ({ sources: front.sources, members: undefined }))];

  function merge(a: Front, b: Front): void {
    const [into, from] = a.members.length >= b.members.length ? [a, b] : [b, a];
    joined.set(from, into);
    active.delete(from);
    for (const source of from.sources) into.sources.push(source);
    for (const member of from.members) into.members.push(member);
    // Last in is explored first: the absorbed front goes on where it was.
    into.frontiers.unshift(...from.frontiers);
  }
}

function* neighbours(draft: Draft, node: string): Generator<string> {
  const members = tableMembers(draft, node);
  if (members !== undefined) {
    yield* members;
    return;
  }
  const entity = draft.get(node);
  if (entity?.kind === 'network') {
    if (entityOf(draft, 'segment', entity.segment_uuid)) yield entity.segment_uuid!;
    if (entity.vrf !== null) yield `${TABLE}${entity.vrf}`;
    for (const route of referrers(draft, 'route', node)) if (draft.get(route.route_link_uuid)) yield route.route_link_uuid;
  } else if (entity?.kind === 'segment') for (const network of referrers(draft, 'network', node)) yield network.uuid;
  else
    for (const { network_uuid } of referrers(draft, 'route', node))
      if (network_uuid !== null && draft.get(network_uuid)) yield network_uuid;
}

class DisjointSets {
  private readonly parents = new Map<string, string>();

  find(item: string): string {
    let root = item;
    for (let parent = this.parents.get(root); parent !== undefined; parent = this.parents.get(root)) root = parent;
    for (let at = item; at !== root;) {
      const next = this.parents.get(at)!;
      this.parents.set(at, root);
      at = next;
    }
    return root;
  }

  join(a: string, b: string): void {
    const [rootA, rootB] = [this.find(a), this.find(b)];
    if (rootA !== rootB) this.parents.set(rootA, rootB);
  }
}
