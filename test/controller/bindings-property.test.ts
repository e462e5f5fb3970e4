import fc from 'fast-check';
import { Bindings, type BindingChange } from '../../controller/slices/bindings.js';
import type { EntityChange } from '../../controller/transaction/transaction.js';
import type { Binding } from '../../flows/model/binding.js';
import type { Interface } from '../../flows/model/entities.js';
import { Model } from '../../flows/model/model.js';
import { iface } from '../flows/model/values.js';
import { vif } from './world.js';

const datapath = fc.constantFrom('dp-a', 'dp-b');
const name = fc.constantFrom('tap1', 'tap2', 'tap3');
const uuid = fc.constantFrom('if-1', 'if-2', 'if-3');
const vifs = fc
  .uniqueArray(fc.tuple(name, fc.option(uuid)), { selector: ([port]) => port, maxLength: 3 })
  .map((nics) => nics.map(([port, id]) => vif(port, id)));
const interfaces = fc
  .tuple(uuid, fc.option(name), fc.option(datapath, { freq: 1 }), fc.boolean())
  .map(([id, port_name, owner_datapath_uuid, isVif]) => iface(id, { port_name, owner_datapath_uuid, mode: isVif ? 'vif' : 'simulated' }));

type Step = (bindings: Bindings, model: Model) => BindingChange[];

function change(model: Model, bindings: Bindings, id: string, after: Interface | undefined): BindingChange[] {
  const changes: EntityChange[] = [{ uuid: id, before: model.get(id), after }];
  model.apply(after ? [after] : [], after ? [] : [id]);
  return bindings.modelChanged(changes);
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(datapath, vifs).map(
    ([dp, seen]): Step =>
      (bindings) =>
        bindings.arrive(dp, seen),
  ),
  fc.tuple(datapath, vifs).map(
    ([dp, seen]): Step =>
      (bindings) =>
        bindings.report(dp, seen),
  ),
  datapath.map(
    (dp): Step =>
      (bindings) =>
        bindings.leave(dp),
  ),
  interfaces.map(
    (one): Step =>
      (bindings, model) =>
        change(model, bindings, one.uuid, one),
  ),
  uuid.map(
    (id): Step =>
      (bindings, model) =>
        change(model, bindings, id, undefined),
  ),
);

it('bindings tell every difference once, and none that is no difference', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
      const model = new Model();
      const bindings = new Bindings(model);
      const known = new Map<string, Binding>();
      for (const one of steps) {
        const changes = one(bindings, model);
        expect(new Set(changes.map(({ interface_uuid }) => interface_uuid)).size).toBe(changes.length);
        for (const { interface_uuid, before, after } of changes) {
          expect(before).toEqual(known.get(interface_uuid));
          expect(after).not.toEqual(before);
          if (after) known.set(interface_uuid, after);
          else known.delete(interface_uuid);
        }
        for (const id of ['if-1', 'if-2', 'if-3']) expect(bindings.get(id)).toEqual(known.get(id));
      }
    }),
    { numRuns: 500 },
  );
});
