import { patchNames, planPatches, readOldPatches } from '../../../datapath/ovsdb/patch-plan.js';
import { Replica } from '../../../datapath/ovsdb/replica.js';

type Ids = Readonly<Record<string, string>>;
const map = (of: Ids) => ['map', Object.entries(of)];
const [NEAR, FAR] = patchNames('br-int', 'br-ex');

/** br-int and br-ex, joined by patches whose ends have these external_ids, and by one of somebody else's. */
function joined(near: Ids, far: Ids) {
  const replica = new Replica();
  const ends = [
    ['br-int', NEAR, FAR, near],
    ['br-ex', FAR, NEAR, far],
    ['br-int', 'patch-0000000-i', 'patch-0000000-o', {}],
  ] as const;
  for (const [n, [, name, peer, external_ids]] of ends.entries()) {
    const row = { name, type: 'patch', ofport: n + 1, options: map({ peer }), external_ids: map(external_ids) };
    replica.applyUpdate2({
      Interface: { [`iface${n}`]: { initial: row } },
      Port: { [`port${n}`]: { initial: { name, interfaces: ['uuid', `iface${n}`] } } },
    });
  }
  for (const bridge of ['br-int', 'br-ex']) {
    const ports = ends.flatMap(([owner], n) => (owner === bridge ? [['uuid', `port${n}`]] : []));
    replica.applyUpdate2({ Bridge: { [bridge]: { initial: { name: bridge, ports: ['set', ports] } } } });
  }
  return replica.tables;
}

const OURS = { 'hotori-underlay': 'br-int' };
const remove = (bridge: string, port: string) => ({
  op: 'mutate',
  table: 'Bridge',
  where: [['_uuid', '==', ['uuid', bridge]]],
  mutations: [['ports', 'delete', ['set', [['uuid', port]]]]],
});

describe('the patch to the underlay', () => {
  it('needs nothing when it is right, and is marked as ours where an older version made it', () => {
    const wanted = { underlay: 'br-ex', keepsOthers: false };
    const marking = planPatches(joined(OURS, {}), 'br-int', wanted).operations;
    expect([planPatches(joined(OURS, OURS), 'br-int', wanted), marking]).toEqual([
      { operations: [], repairs: [] },
      [
        {
          op: 'mutate',
          table: 'Interface',
          where: [['_uuid', '==', ['uuid', 'iface1']]],
          mutations: [
            ['external_ids', 'delete', ['set', ['hotori-underlay']]],
            ['external_ids', 'insert', map(OURS)],
          ],
        },
      ],
    ]);
  });

  it('stays without its note for as long as something may come by it, and goes at both ends then', () => {
    const tables = joined({ ...OURS, 'hotori-direct': 'dp-hv2' }, OURS);
    expect({
      before: readOldPatches(tables, 'br-int', 'br-ex'),
      old: readOldPatches(tables, 'br-int', undefined),
      kept: planPatches(tables, 'br-int', { underlay: undefined, keepsOthers: true }).operations,
      gone: planPatches(tables, 'br-int', { underlay: undefined, keepsOthers: false }),
    }).toEqual({
      before: [],
      old: [{ port_name: NEAR, ofport: 1, error: null }],
      kept: [
        {
          op: 'mutate',
          table: 'Interface',
          where: [['_uuid', '==', ['uuid', 'iface0']]],
          mutations: [['external_ids', 'delete', ['set', ['hotori-direct']]]],
        },
      ],
      gone: { operations: [remove('br-int', 'port0'), remove('br-ex', 'port1')], repairs: [`removed ${NEAR}`, `removed ${FAR}`] },
    });
  });
});
