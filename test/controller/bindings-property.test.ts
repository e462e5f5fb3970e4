import fc from 'fast-check';
import { Bindings } from '../../controller/slices/bindings.js';
import type { EntityChange } from '../../controller/transaction/transaction.js';
import type { Binding } from '../../flows/model/binding.js';
import type { Entity } from '../../flows/model/entities.js';
import type { Interface } from '../../flows/model/entities/interface.js';
import { vifUuid, type VifRecord } from '../../flows/model/entities/presence.js';
import { Model } from '../../flows/model/model.js';
import { iface } from '../flows/model/values.js';

const DATAPATHS = ['dp-a', 'dp-b', 'dp-c'];
const PORTS = ['tap1', 'tap2', 'tap3'];
const INTERFACES = ['if-1', 'if-2', 'if-3'];
const datapath = fc.constantFrom(...DATAPATHS);
const name = fc.constantFrom(...PORTS);
const uuid = fc.constantFrom(...INTERFACES);

const interfaces = fc
  .tuple(uuid, fc.option(name), fc.option(datapath, { freq: 1 }), fc.boolean())
  .map(([id, port_name, owner_datapath_uuid, isVif]): Put => ({
    uuid: id,
    after: () => iface(id, { port_name, owner_datapath_uuid, mode: isVif ? 'vif' : 'simulated' }),
  }));
const vifs = fc.tuple(datapath, name, fc.option(fc.oneof(uuid, fc.constant('other')))).map(([datapath_uuid, port_name, iface_id]): Put => {
  const id = vifUuid(datapath_uuid, port_name);
  return { uuid: id, after: (since) => ({ kind: 'vif', uuid: id, datapath_uuid, port_name, iface_id, since }) };
});
const places = fc
  .tuple(fc.constantFrom('ifp-1', 'ifp-2'), uuid, fc.option(name), fc.option(datapath))
  .map(([id, interface_uuid, port_name, datapath_uuid]): Put => {
    const stamps = { created_at: '', updated_at: '' };
    return {
      uuid: id,
      after: () => ({ kind: 'interface_port', uuid: id, interface_uuid, datapath_uuid, port_name, singular: true, ...stamps }),
    };
  });
const deletions = fc
  .oneof(
    uuid,
    fc.constantFrom('ifp-1', 'ifp-2'),
    fc.tuple(datapath, name).map(([dp, port]) => vifUuid(dp, port)),
  )
  .map((id): Put => ({ uuid: id, after: () => undefined }));

interface Put {
  readonly uuid: string;
  readonly after: (since: number) => Entity | undefined;
}

/** A revision: what it puts and deletes, each entity once. */
const revision = fc.uniqueArray(fc.oneof({ weight: 2, arbitrary: interfaces }, { weight: 3, arbitrary: vifs }, places, deletions), {
  selector: (put) => put.uuid,
  minLength: 1,
  maxLength: 3,
});

function apply(model: Model, puts: readonly Put[], since: number): EntityChange[] {
  const changes = puts.map(({ uuid: id, after }) => ({ uuid: id, before: model.get(id), after: after(since) }));
  model.apply(
    changes.flatMap(({ after }) => after ?? []),
    changes.flatMap(({ uuid: id, after }) => (after ? [] : id)),
  );
  return changes;
}

/** Who is what, by trying every NIC with every interface. */
function byDefinition(entities: readonly Entity[]): { bindings: Map<string, Binding>; conflicts: Map<string, string[]> } {
  const all = entities.filter((entity): entity is VifRecord => entity.kind === 'vif');
  const ifaces = entities.filter((entity): entity is Interface => entity.kind === 'interface');
  const places = placesIn(entities);
  const may = (one: Interface, { datapath_uuid }: VifRecord) => {
    const own = places.filter(({ interface_uuid }) => interface_uuid === one.uuid);
    return one.mode === 'vif' && (own.length === 0 || own.some((place) => [null, datapath_uuid].includes(place.datapath_uuid)));
  };
  const claims = all.flatMap((vif) => {
    const named = ifaces.find((one) => one.uuid === vif.iface_id);
    if (named) return may(named, vif) ? [{ vif, to: named.uuid, rank: 0 }] : [];
    const here = places.filter(
      ({ interface_uuid, port_name, datapath_uuid }) =>
        port_name === vif.port_name &&
        [null, vif.datapath_uuid].includes(datapath_uuid) &&
        ifaces.some((one) => one.uuid === interface_uuid && one.mode === 'vif'),
    );
    const chosen = here.find(({ datapath_uuid }) => datapath_uuid !== null) ?? here[0];
    return chosen ? [{ vif, to: chosen.interface_uuid, rank: 1 }] : [];
  });
  const bindings = new Map<string, Binding>();
  const conflicts = new Map(DATAPATHS.map((dp) => [dp, [] as string[]]));
  for (const interface_uuid of INTERFACES) {
    const own = claims.filter(({ to }) => to === interface_uuid);
    const best = own.filter(({ rank }) => rank === Math.min(...own.map((claim) => claim.rank))).map(({ vif }) => vif);
    const age = (vif: VifRecord) => `${String(vif.since).padStart(6, '0')} ${vif.uuid}`;
    const firsts = best.filter((vif) => !best.some((other) => other.datapath_uuid === vif.datapath_uuid && age(other) < age(vif)));
    const [winner] = firsts.sort((a, b) => (age(a) < age(b) ? 1 : -1));
    if (winner === undefined) continue;
    const { datapath_uuid, port_name } = winner;
    bindings.set(interface_uuid, { kind: 'binding', uuid: `bind-${interface_uuid}`, interface_uuid, datapath_uuid, port_name });
    for (const { vif } of own)
      if (vif !== winner)
        conflicts
          .get(vif.datapath_uuid)!
          .push(`port ${vif.port_name} claims ${interface_uuid}, which is plugged at port ${port_name} of ${datapath_uuid}`);
  }
  for (const texts of conflicts.values()) texts.sort();
  return { bindings, conflicts };
}

interface Place {
  readonly interface_uuid: string;
  readonly port_name: string | null;
  readonly datapath_uuid: string | null;
}

function placesIn(entities: readonly Entity[]): Place[] {
  return entities.flatMap((entity) => {
    if (entity.kind === 'interface_port') return [entity];
    if (entity.kind !== 'interface' || (entity.port_name === null && entity.owner_datapath_uuid === null)) return [];
    return [{ interface_uuid: entity.uuid, port_name: entity.port_name, datapath_uuid: entity.owner_datapath_uuid }];
  });
}

/** Interfaces could share a port name on a datapath here, or places have no interface, which a transaction would refuse. */
function isValid(entities: readonly Entity[]): boolean {
  const places = placesIn(entities);
  const names = places.flatMap(({ port_name, datapath_uuid }) => (port_name === null ? [] : `${port_name}@${datapath_uuid}`));
  const uuids = new Set(entities.map((entity) => entity.uuid));
  return new Set(names).size === names.length && places.every(({ interface_uuid }) => uuids.has(interface_uuid));
}

it('bindings are a function of the model, and tell every difference once', () => {
  let contested = 0;
  fc.assert(
    fc.property(fc.array(revision, { minLength: 5, maxLength: 30, size: 'max' }), (revisions) => {
      const model = new Model();
      const bindings = new Bindings(model);
      const known = new Map<string, Binding>();
      for (const [since, puts] of revisions.entries()) {
        const trial = new Model();
        trial.apply(model.values(), []);
        apply(trial, puts, since);
        if (!isValid([...trial.values()])) continue;

        const changes = bindings.update(apply(model, puts, since));
        expect(new Set(changes.map(({ interface_uuid }) => interface_uuid)).size).toBe(changes.length);
        for (const { interface_uuid, before, after } of changes) {
          expect(before).toEqual(known.get(interface_uuid));
          expect(after).not.toEqual(before);
          if (after) known.set(interface_uuid, after);
          else known.delete(interface_uuid);
        }
        const definition = byDefinition([...model.values()]);
        expect(known).toEqual(definition.bindings);
        for (const again of [bindings, new Bindings(model)]) {
          for (const id of INTERFACES) expect(again.get(id)).toEqual(definition.bindings.get(id));
          for (const dp of DATAPATHS) expect(again.conflicts(dp)).toEqual(definition.conflicts.get(dp));
        }
        contested += [...definition.conflicts.values()].flat().length;
      }
    }),
    { numRuns: 300 },
  );
  expect(contested).toBeGreaterThan(300);
});
