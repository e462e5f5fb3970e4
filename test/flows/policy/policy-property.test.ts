import fc from 'fast-check';
import { NOMINAL } from '../../../flows/pipeline/registers.js';
import { TABLES, USER_TABLES } from '../../../flows/pipeline/tables.js';
import { checkTables } from '../../../flows/trace/checkers.js';
import type { FabricTrace } from '../../../flows/trace/fabric.js';
import { allProbes, arbitraryPolicy, modelOf } from './arbitrary-policy.js';
import { makePolicyWorld, packetOf, verdictOf, type PolicyWorld } from './policy-world.js';
import { judge, judgeBoth } from './reference-evaluator.js';

const places = Array.from({ length: 4 }, (_, n) => ({ ipv4: `10.1.0.${10 + n}`, ipv6: `fd00:1::${10 + n}` }));

/** The rules named by the cookie of the row that decided in a table, on whichever hypervisor; undefined where none was asked. */
function named({ compilers }: PolicyWorld, { visits }: FabricTrace, table: number): readonly string[] | undefined {
  for (const { datapath_uuid, trace } of visits) {
    const hit = trace.steps.find((step) => step.kind === 'table' && step.table === table);
    if (hit?.kind !== 'table' || hit.hit === undefined) continue;
    return compilers
      .get(datapath_uuid)!
      .provenance(hit.hit.flow.cookie)!
      .uuids.filter((uuid) => uuid.startsWith('sgr-'));
  }
  return undefined;
}

describe('compiled security groups', () => {
  it.each([
    ['on one hypervisor', 4, 40],
    ['on two', 2, 30],
  ])('judge every packet between VMs %s as the specification does, by the rule it names', (_where, first, numRuns) => {
    fc.assert(
      fc.property(arbitraryPolicy(places), (policy) => {
        const world = makePolicyWorld(policy, places, first);
        for (const { tables } of world.compilers.values())
          expect(checkTables(tables, { dropTables: [TABLES.DROP.id], userTables: USER_TABLES, nominal: NOMINAL })).toEqual([]);
        const model = modelOf(policy, places);
        const wrong: unknown[] = [];
        for (const probe of allProbes(places)) {
          const trace = world.trace(probe.from, packetOf(probe));
          const [expected, seen] = [judgeBoth(model, probe), verdictOf(trace)];
          if (expected !== seen) wrong.push({ probe, expected, seen });
          for (const [direction, table, address] of [
            ['egress', TABLES.EG_POLICY.id, probe.src],
            ['ingress', TABLES.IN_POLICY.id, probe.dst],
          ] as const) {
            const uuids = named(world, trace, table);
            if (uuids === undefined) continue;
            const { rules } = judge(model, model.ownerOf(address)!, direction, probe);
            if (rules.length === 0 ? uuids.length > 0 : !uuids.some((uuid) => rules.includes(uuid)))
              wrong.push({ probe, direction, rules, named: uuids });
          }
        }
        expect(wrong).toEqual([]);
      }),
      { numRuns },
    );
  });
});
