import fc from 'fast-check';
import type { Operation } from '../../controller/contract.js';
import { HotoriError } from '../../flows/model/errors.js';
import { entitySchema, type Entity, type EntityOf } from '../../flows/model/entities.js';
import type { Violation } from '../../flows/model/invariants/check.js';
import { checkChange } from '../../flows/model/invariants/invariants.js';
import { Model } from '../../flows/model/model.js';
import { beginning, operations } from './arbitrary-operations.js';
import { World } from './world.js';

/** Applies transactions until the end; refused ones are part of the game. */
async function play(world: World, transactions: readonly Operation[][], after: () => void): Promise<{ accepted: number }> {
  let accepted = 0;
  for (const transaction of transactions) {
    world.wait(1000);
    const before = world.vnmgr.revision().number;
    try {
      const { changed } = await world.vnmgr.execute(transaction);
      if (changed) accepted++;
      expect(world.vnmgr.revision().number).toBe(before + (changed ? 1 : 0));
    } catch (error) {
      if (!(error instanceof HotoriError)) throw error;
      expect(error.reasons).not.toEqual([]);
      expect(world.vnmgr.revision().number).toBe(before);
    }
    after();
  }
  return { accepted };
}

function modelOf(entities: Iterable<Entity>): Model {
  const model = new Model();
  model.apply(entities, []);
  return model;
}

/** Every rule, checked on everything. */
function violations(entities: readonly Entity[]): Violation[] {
  const found: Violation[] = [];
  const view = modelOf(entities);
  for (const entity of entities)
    checkChange({ view, touched: () => true, report: (violation) => found.push(violation) }, undefined, entity);
  return found;
}

/** Networks and segments that share a key, as sets; and what they should be, by walking. */
function routingDomains(entities: readonly Entity[]): { is: string[]; should: string[] } {
  const nodes = entities.filter((entity) => entity.kind === 'network' || entity.kind === 'segment');
  const byKey = new Map<number, string[]>();
  for (const { vrf_key, uuid } of nodes) byKey.set(vrf_key, [...(byKey.get(vrf_key) ?? []), uuid]);
  const group = new Map(nodes.map(({ uuid }) => [uuid, uuid]));
  const join = (a: string, b: string) => {
    const [from, to] = [group.get(a) ?? a, group.get(b) ?? b];
    group.set(a, from).set(b, to);
    for (const [uuid, root] of group) if (root === from) group.set(uuid, to);
  };
  for (const entity of entities) {
    if (entity.kind === 'network' && entity.segment_uuid !== null) join(entity.uuid, entity.segment_uuid);
    if (entity.kind === 'network' && entity.vrf !== null) join(entity.uuid, `vrf ${entity.vrf}`);
    if (entity.kind === 'route' && entity.network_uuid !== null) join(entity.network_uuid, entity.route_link_uuid);
  }
  const byRoot = new Map<string, string[]>();
  for (const { uuid } of nodes) byRoot.set(group.get(uuid)!, [...(byRoot.get(group.get(uuid)!) ?? []), uuid]);
  const text = (map: Map<unknown, string[]>) => [...map.values()].map((uuids) => uuids.sort().join()).sort();
  return { is: text(byKey), should: text(byRoot) };
}

/** Rows of datapaths with another endpoint than they should have, by trying every lease. */
function wrongEndpoints(entities: readonly Entity[]): string[] {
  const all = <K extends Entity['kind']>(kind: K) => entities.filter((entity): entity is EntityOf<K> => entity.kind === kind);
  const age = (e: { created_at: string; uuid: string }) => `${e.created_at} ${e.uuid}`;
  const oldestFirst = <T extends { created_at: string; uuid: string }>(list: T[]) => list.sort((a, b) => (age(a) < age(b) ? -1 : 1));
  return [...all('datapath_network'), ...all('datapath_segment'), ...all('datapath_route_link')].flatMap((link) => {
    const { uuid, datapath_uuid, interface_uuid, ip_lease_uuid } = link;
    const isThere =
      all('interface').some((one) => one.uuid === interface_uuid && one.owner_datapath_uuid === datapath_uuid) ||
      all('interface_port').some((port) => port.interface_uuid === interface_uuid && port.datapath_uuid === datapath_uuid);
    const leases = oldestFirst(all('mac_lease').filter((mac) => mac.interface_uuid === interface_uuid)).flatMap((mac) =>
      oldestFirst(all('ip_lease').filter((lease) => lease.mac_lease_uuid === mac.uuid)),
    );
    const lease = !isThere ? undefined : ip_lease_uuid === null ? leases[0] : leases.find((one) => one.uuid === ip_lease_uuid);
    return link.endpoint_address === (lease?.ipv4_address ?? null) && link.endpoint_network_uuid === (lease?.network_uuid ?? null)
      ? []
      : [uuid];
  });
}

describe('random operation sequences', () => {
  it('keep every invariant, and memory equal to the store', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operations, { minLength: 20, maxLength: 80, size: 'max' }), async (transactions) => {
        const world = await World.start();
        const result = await play(world, [beginning, ...transactions], () => {
          const entities = [...world.disk.entities.values()];
          expect(violations(entities)).toEqual([]);
          const { is, should } = routingDomains(entities);
          expect(is).toEqual(should);
          expect(wrongEndpoints(entities)).toEqual([]);
        });
        accepted += result.accepted;

        const entities = [...world.disk.entities.values()];
        for (const entity of entities) expect(entitySchema.parse(entity)).toEqual(entity);
        const classes = entities.flatMap((entity) => (entity.kind === 'policy_class' ? [entity.security_group_uuids.join()] : []));
        const sets = entities.flatMap((entity) =>
          entity.kind === 'interface' && entity.security_group_uuids.length > 0 ? [entity.security_group_uuids.join()] : [],
        );
        expect(classes.sort()).toEqual([...new Set(sets)].sort());

        const again = await world.restart();
        const whole = { offset: 0, limit: 1000 };
        for (const kind of ['network', 'interface', 'mac_lease', 'security_group'] as const)
          expect(again.vnmgr.list(kind, whole)).toEqual(world.vnmgr.list(kind, whole));
      }),
      { numRuns: 60 },
    );
    // Otherwise the property would be about refusals.
    expect(accepted).toBeGreaterThan(60 * 8);
  }, 60_000);

  it('replayed from the log give what is in memory', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operations, { minLength: 10, maxLength: 60, size: 'max' }), async (transactions) => {
        const world = await World.start();
        await play(world, [beginning, ...transactions], () => {});
        const { revision, entities } = await world.store.load();
        const replayed = new Map<string, Entity>();
        for (const { puts, deletes } of await world.store.changesSince({ ...revision, number: 0 })) {
          for (const uuid of deletes) replayed.delete(uuid);
          for (const entity of puts) replayed.set(entity.uuid, entity);
        }
        const sorted = (list: Iterable<Entity>) => [...list].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
        expect(sorted(replayed.values())).toEqual(sorted(entities));
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});
