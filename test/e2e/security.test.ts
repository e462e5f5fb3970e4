import fc from 'fast-check';
import { arbitraryPolicy, type Policy } from '../flows/policy/arbitrary-policy.js';
import { judgeBoth, type PolicyModel, type Probe } from '../flows/policy/reference-evaluator.js';
import { pingVerdict, Prober, type Outcome } from '../lab/probes.js';
import type { Vm } from '../lab/vm.js';
import { address, put, World } from './world.js';

/** Policies tried; `make soak` tries more. */
const POLICIES = Number(process.env['SECURITY_POLICIES'] ?? 3);
const SEED = Number(process.env['SECURITY_SEED'] ?? 20_26);
const PORTS = [80, 443];

const plans = Array.from({ length: 9 }, (_, n) => ({ name: `e${n + 1}`, network: n < 5 ? ('a' as const) : ('b' as const), host: 11 + n }));
const places = plans.map(address);

function modelOf({ groups, addressSets, membership }: Policy): PolicyModel {
  return {
    groups: new Map(groups.map((group) => [group.uuid, group])),
    addressSets: new Map(Object.entries(addressSets)),
    ownerOf: (ip) => {
      const n = places.findIndex(({ ipv4, ipv6 }) => ipv4 === ip || ipv6 === ip);
      return n < 0 ? undefined : { security_group_uuids: [...membership[n]!] };
    },
  };
}

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
  await world.revalidated();
}

/** The probes that every endpoint makes of every other. */
function probesFrom(from: number): (Probe & { readonly to: number })[] {
  return places.flatMap((target, to) =>
    from === to
      ? []
      : (['ipv4', 'ipv6'] as const).flatMap((family) => {
          const ends = { to, src: places[from]![family], dst: target[family] };
          return [
            ...PORTS.map((port) => ({ ...ends, protocol: 'tcp' as const, port })),
            { ...ends, protocol: 'udp' as const, port: PORTS[0]! },
            family === 'ipv4' ? { ...ends, protocol: 'icmp' as const, port: 8 } : { ...ends, protocol: 'icmpv6' as const, port: 128 },
          ];
        }),
  );
}

const LETTER: Record<Outcome, string> = { allow: '+', drop: '.', reject: 'x' };

/** One line per sender, one column per receiver, one letter per probe of the pair. */
function matrixOf(outcomes: readonly (readonly { readonly to: number; readonly outcome: Outcome }[])[]): string {
  const rows = outcomes.map((row, from) => {
    const cells = plans.map((_, to) =>
      to === from
        ? '-'
        : row
            .filter((one) => one.to === to)
            .map(({ outcome }) => LETTER[outcome])
            .join(''),
    );
    return [plans[from]!.name, ...cells.map((cell) => cell.padEnd(8))].join(' ').trimEnd();
  });
  return [`   ${plans.map(({ name }) => name.padEnd(8)).join(' ')}`.trimEnd(), ...rows].join('\n');
}

function describe9({ groups, membership }: Policy): string {
  const rules = groups.flatMap((group) =>
    group.rules.map((rule) => {
      const what = [rule.protocol, rule.ports.join(), rule.icmp_type === null ? '' : `type ${rule.icmp_type}`]
        .filter((part) => part !== '')
        .join(' ');
      const where = [rule.tier ?? group.tier, rule.priority, rule.direction, rule.action].join(' ');
      return `${group.uuid} (${group.default}): ${where} ${what} ${Object.values(rule.remote).join()}`;
    }),
  );
  return [...rules, ...membership.map((uuids, n) => `${plans[n]!.name} ${Object.values(places[n]!).join(' ')}: ${uuids.join(' ')}`)].join(
    '\n',
  );
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
    probers = await Promise.all(vms.map((vm) => Prober.start(vm, world.lab.dir, PORTS)));
  }, 60_000);
  afterAll(() => world.destroy(), 60_000);

  async function observe(from: number): Promise<{ to: number; outcome: Outcome }[]> {
    const probes = probesFrom(from);
    const direct = probes.flatMap(({ protocol, dst, port }) => (protocol === 'tcp' || protocol === 'udp' ? [{ protocol, dst, port }] : []));
    const [answers, pings] = await Promise.all([
      probers[from]!.probe(direct),
      Promise.all(probes.filter(({ protocol }) => protocol.startsWith('icmp')).map(({ dst }) => pingVerdict(vms[from]!, dst))),
    ]);
    return probes.map(({ to, protocol }) => ({ to, outcome: protocol.startsWith('icmp') ? pings.shift()! : answers.shift()! }));
  }

  it(
    'let through real packets exactly as the specification says',
    async () => {
      const policies = fc.sample(arbitraryPolicy(places, { stateless: false }), { seed: SEED, numRuns: POLICIES });
      for (const policy of policies) {
        await define(world, policy);
        const model = modelOf(policy);
        const expected = plans.map((_, from) => probesFrom(from).map((probe) => ({ to: probe.to, outcome: judgeBoth(model, probe) })));
        const observed = await Promise.all(plans.map((_, from) => observe(from)));
        if (process.env['SECURITY_PRINT'] !== undefined) console.info(`${describe9(policy)}\n${matrixOf(observed)}`);
        // In one comparison both matrices show in full, with what differs.
        expect(matrixOf(observed)).toBe(matrixOf(expected));
        expect((await world.compareSampled(40, SEED)).differences).toEqual([]);
      }
    },
    30_000 + POLICIES * 20_000,
  );
});
