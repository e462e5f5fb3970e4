import fc from 'fast-check';
import type { Operation } from '../../../controller/contract.js';
import type { Plan } from '../../../controller/messages/plan.js';
import { HotoriError } from '../../../flows/model/errors.js';
import { traceInput } from '../../../flows/trace/explain/question.js';
import { create, vif, World } from '../world.js';
import { arbitraryVms, GROUPS, startReachWorld } from './reach-world.js';
import { rule, startTraceWorld, WEB_RULES, type TraceWorld } from './trace-world.js';

/** Rows in a line each: how, who, to whom, services, by whom. */
function rows({ reachability: { changes, services } }: Plan): string[] {
  return changes
    .map(({ op, source, destination, families, services: which, after }) => {
      const ports = which.map((at) => `${services[at]!.protocol}${services[at]!.ports === null ? '' : ` ${services[at]!.ports}`}`);
      const by = after === null ? 'gone' : [after.code, ...after.uuids, ...after.admitted_by].join(' ');
      const to = destination.address ?? destination.interface_uuids.join(' ');
      return `${op} ${source.interface_uuids.join(' ')} > ${to}: ${ports.join(', ')} ${families.join(' ')} (${by})`;
    })
    .sort();
}

describe('the reachability of a plan', () => {
  let asked: TraceWorld;
  beforeAll(async () => (asked = await startTraceWorld()));
  afterAll(() => asked.world.vnmgr.close());
  const withRules = (rules: object[]): Operation => ({ verb: 'update', kind: 'security_group', uuid: 'sg-web', params: { rules } });
  const plan = async (...operations: Operation[]) => rows(await asked.world.vnmgr.plan(operations));

  it('says what a rule more would open, and to whom, cut where rules cut ports', async () => {
    const rules = [rule('web', { ports: ['8050-8200'] }), rule('some', { ports: ['443'], remote: { cidr: '10.1.0.12/32' } })];
    expect(await plan(withRules([...WEB_RULES, ...rules]))).toEqual([
      'opens if-a1 > if-b2: tcp 8101-8200 ipv4 ipv6 (delivered sgr-web)',
      'opens if-a2 > if-b2: tcp 443 ipv4 (delivered sgr-http sgr-some)',
      'opens if-b1 > if-b2: tcp 8101-8200 ipv4 ipv6 (delivered sgr-web)',
      'opens if-c1 > if-b2: tcp 8101-8200 ipv4 (delivered sgr-web)',
    ]);
  });

  it('says what a rule less would close, with the rule that is nearest now', async () => {
    expect(await plan(withRules(WEB_RULES.filter(({ uuid }) => uuid !== 'sgr-ssh')))).toEqual([
      'closes if-a1 > if-b2: tcp 22 ipv4 ipv6 (ingress_policy sg-web)',
      'closes if-b1 > if-b2: tcp 22 ipv4 ipv6 (ingress_policy sg-web)',
      'closes if-c1 > if-b2: tcp 22 ipv4 (ingress_policy sg-web)',
    ]);
  });

  it('says what a route would close: for those who take it, over the family it is of', async () => {
    expect(
      await plan(create('route', { uuid: 'r-no', type: 'prohibit', route_link_uuid: 'rl-ab', ipv4_network: '10.3.0.0', ipv4_prefix: 25 })),
    ).toEqual([
      'closes if-a1 > if-c1: icmp, tcp 22, tcp 23, tcp 24, tcp 80, tcp 443, tcp 8000-8100, tcp, udp 53, udp ipv4 (prohibited r-no rl-ab)',
      'closes if-a2 > if-c1: tcp 80, tcp 443 ipv4 (prohibited r-no rl-ab)',
      'closes if-b1 > if-c1: icmp, tcp 22, tcp 23, tcp 24, tcp 80, tcp 443, tcp 8000-8100, tcp, udp 53, udp ipv4 (prohibited r-no rl-ab)',
      'closes if-b2 > if-c1: icmp, tcp 22, tcp 23, tcp 24, tcp 80, tcp 443, tcp 8000-8100, tcp, udp 53, udp ipv4 (prohibited r-no rl-ab)',
    ]);
  });

  it('says what joining a group would change, for the one that joins and for those who let the group in', async () => {
    const joined = await plan({ verb: 'update', kind: 'interface', uuid: 'if-b1', params: { security_group_uuids: ['sg-web'] } });
    expect(joined.filter((row) => row.includes('opens') || row.includes('if-a2') || row.includes('if-c1 >'))).toEqual([
      'closes if-a2 > if-b1: tcp 80, tcp 443 ipv4 ipv6 (ingress_policy sg-web)',
      'closes if-c1 > if-b1: icmp, tcp 80, tcp 443, tcp, udp 53, udp ipv4 (ingress_policy sg-web)',
      'closes if-c1 > if-b1: tcp 23 ipv4 (ingress_rule sgr-never sg-web)',
      'closes if-c1 > if-b1: tcp 24 ipv4 (ingress_rule sgr-no sg-web)',
      'opens if-b1 > if-b2: udp 53 ipv4 ipv6 (delivered sgr-peers)',
    ]);
  });

  it('says what goes with a router, and with an interface', async () => {
    const { world } = asked;
    const members = ['x', 'y'].map((name, at) => ({ network_uuid: `nw-${name}`, ip_address: `10.${at + 7}.0.1` }));
    await world.vnmgr.execute([
      ...['x', 'y'].map((name, at) => create('network', { uuid: `nw-${name}`, ipv4_network: `10.${at + 7}.0.0`, ipv4_prefix: 24 })),
      create('router', { uuid: 'rt-xy', networks: members }),
      ...['x1', 'x2', 'y1'].map((name, at) => {
        const ipv4_address = `10.${name.startsWith('x') ? 7 : 8}.0.${at + 10}`;
        return create('interface', { uuid: `if-${name}`, mode: 'vif', network_uuid: `nw-${name[0]}`, ipv4_address });
      }),
    ]);
    await asked.two.see(['b2', 'c1', 'x1', 'x2', 'y1'].map((name, at) => vif(`tap${at + 1}`, `if-${name}`)));
    expect({
      router: await plan({ verb: 'delete', kind: 'router', uuid: 'rt-xy' }),
      interface: await plan({ verb: 'delete', kind: 'interface', uuid: 'if-y1' }),
    }).toEqual({
      router: [
        'closes if-x1 if-x2 > if-y1: icmp, tcp ipv4 (no_router nw-x)',
        'closes if-y1 > if-x1 if-x2: icmp, tcp ipv4 (no_router nw-y)',
      ],
      interface: ['closes if-x1 if-x2 > if-y1: icmp, tcp ipv4 (gone)', 'closes if-y1 > if-x1 if-x2: icmp, tcp ipv4 (gone)'],
    });
  });

  it('of a change that is too much to compare says how much it is', async () => {
    const { world } = asked;
    const many = Array.from({ length: 40 }, (_, n) => `m${n}`);
    await world.vnmgr.execute([
      ...['m', 'n'].map((name, at) => create('network', { uuid: `nw-${name}`, ipv4_network: `10.6${at}.0.0`, ipv4_prefix: 24 })),
      create('router', {
        uuid: 'rt-many',
        networks: ['m', 'n'].map((name, at) => ({ network_uuid: `nw-${name}`, ip_address: `10.6${at}.0.1` })),
      }),
      ...many.map((name) => create('security_group', { uuid: `sg-${name}`, default: 'allow' })),
      ...many.map((name, at) =>
        create('interface', {
          uuid: `if-${name}`,
          mode: 'vif',
          network_uuid: 'nw-m',
          ipv4_address: `10.60.0.${at + 9}`,
          security_group_uuids: [`sg-${name}`],
        }),
      ),
    ]);
    await asked.one.see(['a1', 'a2', 'b1', ...many].map((name, at) => vif(`tap${at + 1}`, `if-${name}`)));
    const { reachability } = await world.vnmgr.plan([{ verb: 'delete', kind: 'router', uuid: 'rt-many' }]);
    expect(reachability).toEqual({
      services: [],
      changes: [],
      compared: 0,
      notes: [
        expect.stringMatching(/^1560 pairs of classes of interfaces and 2 services are 3120 comparisons, and more than 2000 are not made/),
      ],
    });
  });
});

/** Something that a random change is. */
const arbitraryChange: fc.Arbitrary<(vms: number) => Operation> = fc.oneof(
  fc.tuple(fc.nat(), fc.subarray([...GROUPS])).map(([at, groups]) => (vms: number): Operation => ({
    verb: 'update',
    kind: 'interface',
    uuid: `if-${at % vms}`,
    params: { security_group_uuids: groups },
  })),
  fc.nat().map((at) => (vms: number): Operation => ({ verb: 'delete', kind: 'interface', uuid: `if-${at % vms}` })),
  fc
    .constantFrom<Operation>(
      { verb: 'update', kind: 'security_group', uuid: 'sg-cidr', params: { rules: [rule('all', { protocol: 'any' })] } },
      { verb: 'update', kind: 'security_group', uuid: 'sg-set', params: { default: 'allow' } },
      { verb: 'update', kind: 'address_set', uuid: 'as-some', params: { addresses: ['10.1.0.0/29', '10.2.0.0/24', 'fd00:1::/64'] } },
      { verb: 'delete', kind: 'router', uuid: 'rt-ab' },
      { verb: 'update', kind: 'router', uuid: 'rt-ab', params: { routes: [{ destination: '10.2.0.16/28', type: 'blackhole' }] } },
    )
    .map((operation) => () => operation),
);

describe('a plan', () => {
  it('names every pair whose traces differ before and after, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryVms, arbitraryChange, async (vms, changeOf) => {
        const world = await startReachWorld(vms, false);
        try {
          const operation = changeOf(vms.length);
          const { reachability } = await world.vnmgr.plan([operation]);
          const uuids = [...vms.map((_, index) => `if-${index}`), 'if-hop8', 'if-hop9'];
          const questions = uuids.flatMap((source) =>
            uuids
              .filter((destination) => destination !== source)
              .flatMap((destination) =>
                reachability.services.flatMap((service, at) =>
                  (['ipv4', 'ipv6'] as const).map((family) => ({ source, destination, service, at, family })),
                ),
              ),
          );
          const asked = async () => {
            const found: Change['op'][] = [];
            for (const question of questions) found.push(await stateOf(world, question));
            return found;
          };
          const was = await asked();
          await world.vnmgr.execute([operation]);
          const is = await asked();
          const seen = questions.flatMap(({ source, destination, at, family }, index) =>
            was[index] === is[index] ? [] : [`${is[index]!} ${source} ${destination} ${at} ${family}`],
          );
          const told = reachability.changes.flatMap(({ op, source, destination, services, families }) =>
            source.interface_uuids.flatMap((from) =>
              destination.interface_uuids
                .filter((to) => to !== from)
                .flatMap((to) => services.flatMap((at) => families.map((family) => `${op} ${from} ${to} ${at} ${family}`))),
            ),
          );
          expect({ told: told.sort(), notes: reachability.notes }).toEqual({ told: seen.sort(), notes: [] });
        } finally {
          await world.vnmgr.close();
        }
      }),
      { numRuns: 3 },
    );
  }, 120_000);
});

type Change = Plan['reachability']['changes'][number];

interface Asked {
  readonly source: string;
  readonly destination: string;
  readonly service: Plan['reachability']['services'][number];
  readonly family: 'ipv4' | 'ipv6';
}

const STATES = { delivered: 'opens', answered: 'opens', rejected: 'closes', dropped: 'closes', undecidable: 'unsure' } as const;

/** What a change to this state does. */
async function stateOf({ vnmgr }: World, { source, destination, service, family }: Asked): Promise<Change['op']> {
  const { protocol, port, icmp_type } = service;
  const packet = { protocol, destination_port: port ?? undefined, icmp_type: icmp_type ?? undefined };
  try {
    const answer = await vnmgr.trace({ question: traceInput.parse({ source, destination, family, ...packet }) });
    return STATES[(answer.would_be ?? answer).verdict];
  } catch (error) {
    if (error instanceof HotoriError) return 'closes';
    throw error;
  }
}
