/**
 * Our text form and that of the real ovs-ofctl are the same: what it prints for our bytes is what we print, it takes what we print, and we read what it prints.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { flowBody, flowKey, groupBody, meterBody } from '../../flows/openflow/canonical.js';
import type { Action } from '../../flows/openflow/action.js';
import { PORTS } from '../../flows/openflow/constants.js';
import type { Flow, Group, Meter } from '../../flows/openflow/flow.js';
import { actionToString } from '../../flows/openflow/text-action.js';
import { flowToString, groupToString, meterToString, parseFlow, parseGroup, parseMeter } from '../../flows/openflow/text-flow.js';
import { Random } from './random.js';
import { randomFlow, randomGroup, randomMeter } from './random-values.js';
import { BRIDGE, startSwitch, type TestSwitch } from './switch.js';

/**
 * What the text can say: not how much of a packet an output to a register's port sends to a controller, not which bits of the tunnel's policy flags
 * are matched, and a plain controller action is the same as an output to the controller.
 */
function sayable(action: Action): Action {
  if (action.kind === 'output_reg') return { ...action, max_len: 0xffff };
  if (action.kind === 'clone') return { ...action, actions: action.actions.map(sayable) };
  const text = actionToString(action);
  return text.startsWith('CONTROLLER:')
    ? { kind: 'output', port: PORTS.CONTROLLER, max_len: Number(text.slice('CONTROLLER:'.length)) }
    : action;
}

function sayableFlow(flow: Flow): Flow {
  return {
    ...flow,
    match: flow.match.map((oxm) => (oxm.field === 'tun_gbp_flags' ? { ...oxm, mask: undefined } : oxm)),
    instructions: flow.instructions.map((instruction) =>
      instruction.kind === 'apply_actions' ? { ...instruction, actions: instruction.actions.map(sayable) } : instruction,
    ),
  };
}

const identity = (flow: Flow) => `${flowKey(flow)} ${flow.cookie} ${flowBody(flow)}`;
const lines = (text: string, marker: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.includes(marker))
    .sort();

describe('the text form', () => {
  let real: TestSwitch;
  const random = new Random(11);
  const meters: readonly Meter[] = Array.from({ length: 200 }, (_, n) => randomMeter(random, n + 1, false));
  const groups: readonly Group[] = Array.from({ length: 500 }, (_, n) => randomGroup(random, n + 1)).map((group) => ({
    ...group,
    buckets: group.buckets.map((bucket) => ({ ...bucket, actions: bucket.actions.map(sayable) })),
  }));
  const flows: readonly Flow[] = Array.from({ length: 2000 }, (_, n) =>
    sayableFlow(randomFlow(random, random.between(0, 100), n, { groups: true })),
  );

  beforeAll(async () => {
    real = await startSwitch();
    for (const meter of meters) real.bridge.send({ kind: 'meter_mod', command: 'add', meter });
    for (const group of groups) real.bridge.send({ kind: 'group_mod', command: 'add', group });
    for (const flow of flows) real.bridge.send({ kind: 'flow_mod', command: 'add', flow });
    const errors = (await real.bridge.barrier()).filter((reply) => reply.message.kind === 'error');
    if (errors.length > 0) throw new Error(`the switch refused ${errors.length} values`);
  }, 30_000);

  afterAll(() => real.stop());

  it('of a flow is what ovs-ofctl dump-flows prints for it', async () => {
    const dump = lines(await real.ovs.ofctl(['--no-stats', '--no-names', 'dump-flows', BRIDGE]), 'actions=');
    expect(dump).toEqual(flows.map(flowToString).sort());
  });

  it('of a flow that ovs-ofctl printed is read back to the flow', async () => {
    const dump = lines(await real.ovs.ofctl(['--no-names', 'dump-flows', BRIDGE]), 'actions=');
    expect(dump.map((line) => identity(parseFlow(line))).sort()).toEqual(flows.map(identity).sort());
  });

  it('of a flow is taken by ovs-ofctl add-flows', async () => {
    // It takes an IPv6 mask that starts with a decimal digit for a prefix length.
    const readable = flows.filter((flow) => !/\/\d[0-9a-f]*:/.test(flowToString(flow)));
    const file = path.join(real.ovs.dir, 'flows.txt');
    await writeFile(file, readable.map((flow) => `${flowToString(flow)}\n`).join(''));
    await real.ovs.ofctl(['del-flows', BRIDGE]);
    await real.ovs.ofctl(['--no-names', 'add-flows', BRIDGE, file]);
    const bodies = await real.bridge.ask({ kind: 'flow', table: 0xff, match: [] });
    const back = bodies.flatMap((body) => (body.kind === 'flow' ? body.flows : []));
    expect(back.map(identity).sort()).toEqual(readable.map(identity).sort());
  });

  it('of a group is what ovs-ofctl dump-groups prints for it, and is read back', async () => {
    const dump = lines(await real.ovs.ofctl(['--no-names', 'dump-groups', BRIDGE]), 'group_id=');
    expect(dump).toEqual(groups.map(groupToString).sort());
    const text = (group: Group) => `${group.group_id} ${groupBody(group)}`;
    expect(dump.map((line) => text(parseGroup(line))).sort()).toEqual(groups.map(text).sort());
  });

  it('of a meter is what ovs-ofctl dump-meters prints for it, and is read back', async () => {
    const dump = (await real.ovs.ofctl(['dump-meters', BRIDGE]))
      .split('\n\n')
      .map((entry) => entry.replace(/^OFPST_METER_CONFIG.*\n/, '').trim())
      .filter((entry) => entry !== '');
    const filled = meters.map((meter) => ({
      ...meter,
      bands: meter.bands.map((band) => ({ ...band, burst_size: band.burst_size === 0 ? band.rate : band.burst_size })),
    }));
    expect(dump.sort()).toEqual(filled.map(meterToString).sort());
    const text = (meter: Meter) => `${meter.meter_id} ${meterBody(meter)}`;
    expect(dump.map((entry) => text(parseMeter(entry))).sort()).toEqual(meters.map(text).sort());
  });
});
