import path from 'node:path';
import fc from 'fast-check';
import { arbitraryPolicy, modelOf, type Policy } from '../flows/policy/arbitrary-policy.js';
import { judgeBoth, judgeExchange } from '../flows/policy/reference-evaluator.js';
import { pingVerdict, Prober, type Outcome } from '../lab/probes.js';
import type { Vm } from '../lab/vm.js';
import { switchVerdicts } from '../oracle/switch-verdict.js';
import {
  type DirectedProbe,
  describePolicy,
  expectMatrix,
  firstPacket,
  matrixOf,
  places,
  plans,
  probesFrom,
  SERVED_PORTS,
} from './policy-matrix.js';
import { put, World } from './world.js';

/** Policies tried; `make soak` tries more. */
const POLICIES = Number(process.env['SECURITY_POLICIES'] ?? 3);
const SEED = Number(process.env['SECURITY_SEED'] ?? 20_26);

/** Everything of the policy in one transaction. */
async function define(world: World, { groups, addressSets, membership }: Policy): Promise<void> {
  const operations = [
    ...Object.entries(addressSets).map(([uuid, addresses]) => put(`address_sets/${uuid}`, { addresses })),
    ...groups.map(({ uuid, default: rest, tier, rules }) =>
      put(`security_groups/${uuid}`, { default: rest, tier, rules: rules.map((rule) => ({ ...rule, rule_key: undefined })) }),
    ),
    ...membership.map((security_group_uuids, n) => put(`interfaces/if-${plans[n]!.name}`, { security_group_uuids })),
  ];
  await world.hotori.post('/batch?wait=installed', { operations });
  await world.forgetCachedFlows();
}

describe('security groups between nine endpoints', () => {
  let world: World;
  let vms: Vm[];
  let probers: Prober[];

  beforeAll(async () => {
    world = await World.start();
    await world.defineNetworks();
    vms = await world.addVms(...plans);
    await world.hotori.post('/batch', {
      operations: [
        ...['as-1', 'as-2'].map((uuid) => ({ method: 'POST', path: '/address_sets', body: { uuid } })),
        ...['sg-a', 'sg-b', 'sg-c', 'sg-d'].map((uuid) => ({ method: 'POST', path: '/security_groups', body: { uuid } })),
      ],
    });
    probers = await Promise.all(vms.map((vm) => Prober.start(vm, world.lab.dir, SERVED_PORTS)));
  }, 60_000);
  // Revalidators come across flows that were purged under them.
  const purged =
    /failed to (put\[modify\]|flow_get|flow_del) \(No such file|Failed to acquire udpif_key|dpif\(revalidator\d+\)\|WARN\|Dropped/;
  afterAll(() => world.destroy({ allowedWarnings: [purged] }), 60_000);

  async function ask(from: number, probes: readonly DirectedProbe[], patienceMs?: number): Promise<Outcome[]> {
    const direct = probes.flatMap(({ protocol, dst, port }) => (protocol === 'tcp' || protocol === 'udp' ? [{ protocol, dst, port }] : []));
    const [answers, pings] = await Promise.all([
      probers[from]!.probe(direct, patienceMs),
      Promise.all(probes.filter(({ protocol }) => protocol.startsWith('icmp')).map(({ dst }) => pingVerdict(vms[from]!, dst))),
    ]);
    return probes.map(({ protocol }) => (protocol.startsWith('icmp') ? pings.shift()! : answers.shift()!));
  }

  /** What is silent and should not be is asked again, with more patience: on a busy machine an answer may be late. */
  async function observe(from: number, expected: readonly Outcome[]): Promise<Outcome[]> {
    const probes = probesFrom(from);
    const seen = await ask(from, probes);
    const late = probes.flatMap((probe, i) => (seen[i] === 'drop' && expected[i] !== 'drop' ? [{ probe, i }] : []));
    const again =
      late.length === 0
        ? []
        : await ask(
            from,
            late.map(({ probe }) => probe),
            5_000,
          );
    for (const [n, { i }] of late.entries()) seen[i] = again[n]!;
    return seen;
  }

  async function traced(): Promise<Outcome[][]> {
    const { ovs } = world.hypervisor;
    const target = { unixctl: path.join(ovs.dir, 'ovs-vswitchd.ctl'), bridge: world.hotori.bridge };
    const macs = vms.map(({ mac }) => mac);
    const ports = await Promise.all(plans.map(async ({ name }) => Number(await ovs.vsctl('get', 'Interface', name, 'ofport'))));
    return Promise.all(
      plans.map((_, from) =>
        switchVerdicts(
          target,
          probesFrom(from).map((probe) => firstPacket(probe, ports[from]!, macs)),
        ),
      ),
    );
  }

  it(
    "let through real packets exactly as the specification says, and so does the switch's own trace",
    async () => {
      const policies = fc.sample(arbitraryPolicy(places), { seed: SEED, numRuns: POLICIES });
      for (const policy of policies) {
        await define(world, policy);
        const model = modelOf(policy, places);
        const outcomes = (judge: typeof judgeBoth) => plans.map((_, from) => probesFrom(from).map((probe) => judge(model, probe)));
        expectMatrix('ofproto/trace', policy, outcomes(judgeBoth), await traced());
        const expected = outcomes(judgeExchange);
        const observed = await Promise.all(plans.map((_, from) => observe(from, expected[from]!)));
        if (process.env['SECURITY_PRINT'] !== undefined) console.info(`${describePolicy(policy)}\n${matrixOf(observed)}`);
        expectMatrix('real packets', policy, expected, observed);
        expect((await world.compareSampled(40, SEED)).differences).toEqual([]);
      }
    },
    30_000 + POLICIES * 20_000,
  );
});
