import { create, refused } from '../world.js';
import { startTraceWorld, type TraceWorld } from './trace-world.js';
import type { Operation } from '../../../controller/contract.js';

let asked: TraceWorld;
beforeAll(async () => (asked = await startTraceWorld()));
afterAll(() => asked.world.vnmgr.close());

const plan = (...operations: Operation[]) => asked.world.vnmgr.plan(operations);

describe('a plan', () => {
  it('names the entities and the flows that would come, change and go, datapath by datapath, and changes nothing', async () => {
    const { vnmgr } = asked.world;
    const { number } = vnmgr.revision();
    const { changed, entities, datapaths } = await plan({
      verb: 'update',
      kind: 'interface',
      uuid: 'if-b2',
      params: { security_group_uuids: [] },
    });
    expect({
      revision: vnmgr.revision().number,
      changed,
      entities,
      counts: datapaths.map(({ datapath_uuid, added, changed: altered, removed }) => [
        datapath_uuid,
        added > 0 || altered > 0,
        removed > 0,
      ]),
    }).toEqual({
      revision: number,
      changed: true,
      entities: [{ op: 'update', kind: 'interface', uuid: 'if-b2', fields: ['security_group_uuids'] }],
      counts: [
        ['dp-one', false, true],
        ['dp-two', true, true],
      ],
    });
    const rows = datapaths.at(-1)!.flows.filter(({ table_name }) => table_name === 'IN_POLICY');
    expect(new Set(rows.map(({ op, rule }) => `${op} ${rule}`))).toEqual(new Set(['remove security group rule']));
  });

  it('is what comes of the change when it is made', async () => {
    const { world, one, two } = asked;
    const operation = create('route', {
      uuid: 'r-new',
      type: 'prohibit',
      route_link_uuid: 'rl-ab',
      ipv4_network: '10.6.0.0',
      ipv4_prefix: 24,
    });
    const before = await plan(operation);
    await world.vnmgr.execute([operation]);
    one.confirm();
    two.confirm();
    const after = await plan({ verb: 'delete', kind: 'route', uuid: 'r-new' });
    const shown = (made: typeof before) =>
      made.datapaths.map(({ datapath_uuid, flows }) => [datapath_uuid, flows.map(({ text }) => text).sort()]);
    expect([shown(after), after.datapaths.map(({ removed }) => removed)]).toEqual([
      shown(before),
      before.datapaths.map(({ added }) => added),
    ]);
  });

  it('of what changes nothing says so', async () => {
    expect(await plan({ verb: 'update', kind: 'interface', uuid: 'if-b1', params: {} })).toMatchObject({
      changed: false,
      entities: [],
      datapaths: [],
    });
  });

  it('is refused as the change would be', async () => {
    const refusal = await refused(plan({ verb: 'delete', kind: 'security_group', uuid: 'sg-web' }));
    expect([refusal.code, refusal.reasons.map(({ pointer }) => pointer)]).toEqual(['still_referenced', ['']]);
  });
});
