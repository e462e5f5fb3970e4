import fc from 'fast-check';
import { Draft } from '../../../flows/model/draft.js';
import type { Entity } from '../../../flows/model/entities.js';
import { kindIndex, orderedKeys, setKeys, subnetIndex } from '../../../flows/model/indexes.js';
import { Model } from '../../../flows/model/model.js';
import type { ModelView } from '../../../flows/model/view.js';
import { iface, ipLease, network } from './values.js';

const number = fc.integer({ min: 0, max: 5 });
const entity: fc.Arbitrary<Entity> = fc.oneof(
  fc
    .tuple(number, number, fc.integer({ min: 0, max: 2 }))
    .map(([n, net, vrf_key]) => network(`nw-${n}`, { ipv4_network: `10.0.${net}.0`, ipv4_prefix: 24, vrf_key })),
  fc.tuple(number, number).map(([n, port]) => iface(`if-${n}`, { port_name: `tap${port}`, security_group_uuids: [`sg-${port}`] })),
  fc.tuple(number, number, number).map(([n, net, host]) => ipLease(`il-${n}`, `nw-${net}`, `10.0.0.${host}`)),
);
const change = fc.oneof(
  { weight: 3, arbitrary: entity.map((put) => ({ put, gone: undefined })) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom('nw', 'if', 'il'), number).map(([kind, n]) => ({ put: undefined, gone: `${kind}-${n}` })),
  },
);
const changes = fc.array(change, { maxLength: 25, size: 'max' });

/** Everything that can be asked about these entities. */
function answers(view: ModelView, universe: readonly Entity[]): unknown {
  const indexes = [kindIndex('network'), kindIndex('interface'), ...[1, 2].map(subnetIndex)];
  return {
    entities: universe.map(({ uuid }) => view.get(uuid)),
    sets: universe.flatMap(setKeys).map((key) => [key, [...view.lookup(key)].sort(), view.count(key)]),
    ordered: indexes.map((index) => [
      [...view.from(index, '')],
      [...view.before(index, '~')],
      [...view.from(index, 'ipv4:0a000200')],
      [...view.before(index, 'nw-3')],
    ]),
  };
}

function applyAll(draft: Draft, list: readonly { put: Entity | undefined; gone: string | undefined }[]): void {
  for (const { put, gone } of list)
    if (put) draft.put(put);
    else draft.delete(gone!);
}

it('a draft answers as the model with its changes would, over several transactions and roll-backs', () => {
  fc.assert(
    fc.property(fc.array(entity, { maxLength: 15 }), changes, changes, changes, (stored, first, undone, second) => {
      const universe = [...stored, ...[...first, ...undone, ...second].flatMap(({ put }) => put ?? [])];
      const base = new Map(stored.map((one) => [one.uuid, one]));
      const model = new Model();
      model.apply(base.values(), []);
      const draft = new Draft(model);
      draft.begin();
      applyAll(draft, first);
      draft.begin();
      applyAll(draft, undone);
      draft.rollback();
      draft.begin();
      applyAll(draft, second);

      const expected = new Map(base);
      for (const { put, gone } of [...first, ...second])
        if (put) expected.set(put.uuid, put);
        else expected.delete(gone);
      const plain = new Model();
      plain.apply(expected.values(), []);
      expect(answers(draft, universe)).toEqual(answers(plain, universe));

      model.apply(
        [...expected.values()].filter((one) => model.get(one.uuid) !== one),
        [...base.keys()].filter((uuid) => !expected.has(uuid)),
      );
      expect(answers(model, universe)).toEqual(answers(plain, universe));
      expect(model.countOf('network')).toBe([...expected.values()].filter(({ kind }) => kind === 'network').length);
      expect(universe.flatMap(orderedKeys).length).toBeGreaterThanOrEqual(universe.length);
    }),
    { numRuns: 200 },
  );
});

it('a draft tells what a transaction touched, and what was there before it', () => {
  const model = new Model();
  model.apply([network('nw-1'), network('nw-2')], []);
  const draft = new Draft(model);
  draft.begin();
  draft.put(network('nw-1', { display_name: 'first' }));
  draft.begin();
  draft.put(network('nw-1', { display_name: 'second' }));
  draft.put(network('nw-1', { display_name: 'third' }));
  draft.delete('nw-2');
  draft.put(network('nw-3'));
  expect([...draft.touched()]).toEqual([
    ['nw-1', network('nw-1', { display_name: 'first' })],
    ['nw-2', network('nw-2')],
    ['nw-3', undefined],
  ]);
  expect(draft.original('nw-1')).toMatchObject({ display_name: 'first' });
  draft.rollback();
  expect([draft.get('nw-1'), draft.get('nw-2'), draft.get('nw-3')]).toEqual([
    network('nw-1', { display_name: 'first' }),
    network('nw-2'),
    undefined,
  ]);
});
