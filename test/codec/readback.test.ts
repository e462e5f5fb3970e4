/**
 * What is sent to a real Open vSwitch and what it gives back are equal in canonical form.
 */
import { flowBody, flowKey, groupBody, meterBody } from '../../flows/openflow/canonical.js';
import type { Flow } from '../../flows/openflow/flow.js';
import type { BridgeClient, Reply } from './bridge-client.js';
import { Random } from './random.js';
import { randomFlow, randomGroup, randomMeter } from './random-values.js';
import { startSwitch, type TestSwitch } from './switch.js';

const FLOWS = 2000;

function errors(replies: readonly Reply[], names: ReadonlyMap<number, unknown>): unknown[] {
  return replies
    .filter((reply) => reply.message.kind === 'error')
    .map(
      ({ xid, message }) =>
        message.kind === 'error' && { type: message.type, code: message.code, experimenter: message.experimenter, sent: names.get(xid) },
    );
}

describe('the canonical form', () => {
  let real: TestSwitch;
  let bridge: BridgeClient;

  beforeAll(async () => {
    real = await startSwitch();
    ({ bridge } = real);
  }, 30_000);

  afterAll(() => real.stop());

  it('of meters is the same after the switch', async () => {
    const random = new Random(3);
    const meters = Array.from({ length: 100 }, (_, n) => randomMeter(random, n + 1, false));
    const sent = new Map(meters.map((meter) => [bridge.send({ kind: 'meter_mod', command: 'add', meter }), meter]));
    expect(errors(await bridge.barrier(), sent)).toEqual([]);
    const bodies = await bridge.ask({ kind: 'meter_config', meter_id: 0xffffffff });
    const back = bodies.flatMap((body) => (body.kind === 'meter_config' ? body.meters : []));
    const text = (list: typeof meters) => list.map((meter) => `${meter.meter_id}: ${meterBody(meter)}`).sort();
    expect(text(back)).toEqual(text(meters));
  });

  it('of groups is the same after the switch', async () => {
    const random = new Random(5);
    const groups = Array.from({ length: 500 }, (_, n) => randomGroup(random, n + 1));
    const sent = new Map(groups.map((group) => [bridge.send({ kind: 'group_mod', command: 'add', group }), group]));
    expect(errors(await bridge.barrier(), sent)).toEqual([]);
    const bodies = await bridge.ask({ kind: 'group_desc' });
    const back = bodies.flatMap((body) => (body.kind === 'group_desc' ? body.groups : []));
    const text = (list: typeof groups) => list.map((group) => `${group.group_id}: ${groupBody(group)}`).sort();
    expect(text(back)).toEqual(text(groups));
  });

  it('of flows is the same after the switch', async () => {
    const random = new Random(7);
    const flows = Array.from({ length: FLOWS }, (_, n) => randomFlow(random, random.between(0, 100), n, { groups: true }));
    const sent = new Map(flows.map((flow) => [bridge.send({ kind: 'flow_mod', command: 'add', flow }), flow]));
    expect(errors(await bridge.barrier(), sent)).toEqual([]);
    const bodies = await bridge.ask({ kind: 'flow', table: 0xff, match: [] });
    const back = bodies.flatMap((body) => (body.kind === 'flow' ? body.flows : []));
    const text = (list: readonly Flow[]) => list.map((flow) => `${flowKey(flow)} ${flow.cookie} ${flowBody(flow)}`).sort();
    expect(text(back)).toEqual(text(flows));
  });
});
