import fc from 'fast-check';
import type { ReachAnswer, ReachCell } from '../../../flows/trace/reach/answer.js';
import { questionOf } from '../../../flows/trace/reach/matrix.js';
import type { ReachQuestion, ReachService } from '../../../flows/trace/reach/question.js';
import { HotoriError } from '../../../flows/model/errors.js';
import { create, refused, vif, type World } from '../world.js';
import { arbitraryVms, startReachWorld, type Vm } from './reach-world.js';
import { rule, startTraceWorld, type TraceWorld } from './trace-world.js';

const { signal } = new AbortController();
const services: ReachService[] = [
  { protocol: 'tcp', port: 22 },
  { protocol: 'tcp', port: 80 },
  { protocol: 'udp', port: 53 },
  { protocol: 'icmp' },
];

async function ask(world: World, uuids: readonly string[]): Promise<ReachAnswer> {
  return world.vnmgr.reachability({ sources: [...uuids], destinations: [...uuids], services }, signal);
}

/** What a trace of one pair says, as cells say it. */
async function traced(world: World, source: string, destination: string, service: ReachService) {
  const question = questionOf({ source: { uuid: source }, destination: { uuid: destination } }, service);
  try {
    const { verdict, reason, admitted_by } = await world.vnmgr.trace({ question });
    return { verdict, code: reason.code, table: reason.table, uuids: reason.uuids, nearest: reason.nearest?.rule_uuid, admitted_by };
  } catch (error) {
    if (!(error instanceof HotoriError) || error.code !== 'invalid_argument') throw error;
    return { verdict: 'dropped', code: 'no_common_family', table: null, uuids: [], nearest: undefined, admitted_by: [] };
  }
}

/** Holds the cells against traces of the very pairs, of those that are picked. */
async function compare(world: World, vms: number, isPicked: (at: number, count: number) => boolean): Promise<void> {
  const uuids = Array.from({ length: vms }, (_, index) => `if-${index}`);
  const answer = await ask(world, uuids);
  const classOf = new Map(answer.classes.flatMap(({ id, sources }) => sources.interface_uuids.map((uuid) => [uuid, id])));
  const pairs = uuids.flatMap((a) => uuids.filter((b) => a !== b).map((b) => [a, b] as const));
  expect(answer.cells.reduce((sum, cell) => sum + cell.pairs, 0)).toBe(pairs.length * services.length);
  for (const [a, b] of pairs.filter((_, at) => isPicked(at, pairs.length)))
    for (const [service, one] of services.entries()) {
      const isTheirs = (cell: ReachCell) =>
        cell.source === classOf.get(a) && cell.destination === classOf.get(b) && cell.service === service;
      const { verdict, reason, admitted_by } = answer.cells.find(isTheirs)!;
      const { code, table, uuids: responsible, nearest } = reason;
      const said = { verdict, code, table, uuids: responsible, nearest: nearest?.rule_uuid, admitted_by };
      const exact = await traced(world, a, b, one);
      // Where the two are plugged is of the pair, as they are themselves.
      const others = exact.uuids.filter((uuid) => uuid !== a && uuid !== b && !uuid.startsWith('dp-'));
      expect({ pair: [a, b], service, ...said }).toEqual({ pair: [a, b], service, ...exact, uuids: others });
    }
}

describe('reachability', () => {
  it('says of every pair of a cell what a trace of that very pair says', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryVms, fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0 }), async (vms, spread, seed) => {
        const world = await startReachWorld(vms, spread === 0);
        try {
          await compare(world, vms.length, (at, count) => (at * 7919 + seed) % count < 40);
        } finally {
          await world.vnmgr.close();
        }
      }),
      { numRuns: 10 },
    );
  }, 120_000);

  it('says so too where the way of a packet depends on the hash of its addresses', async () => {
    const plain = { place: 'one', groups: [], families: 'four', extra: 'none' } as const;
    const vms = Array.from({ length: 10 }, (_, index): Vm => ({ ...plain, network: index === 2 ? 'a' : 'b' }));
    const world = await startReachWorld(vms, true);
    try {
      await compare(world, vms.length, () => true);
    } finally {
      await world.vnmgr.close();
    }
  });

  describe('in a world of two hypervisors', () => {
    let asked: TraceWorld;
    beforeAll(async () => {
      asked = await startTraceWorld();
      await asked.world.vnmgr.execute(
        [21, 22, 23].map((host) =>
          create('interface', {
            uuid: `if-a${host}`,
            mode: 'vif',
            network_uuid: 'nw-a',
            ipv4_address: `10.1.0.${host}`,
            ipv6_address: `fd00:1::${host}`,
          }),
        ),
      );
      const plugged = [21, 22, 23].map((host) => vif(`tap${host}`, `if-a${host}`));
      await asked.one.see([vif('tap1', 'if-a1'), vif('tap2', 'if-a2'), vif('tap3', 'if-b1'), ...plugged]);
      asked.one.confirm();
      asked.two.confirm();
    });
    afterAll(() => asked.world.vnmgr.close());
    const asking = (over: Partial<ReachQuestion>) =>
      asked.world.vnmgr.reachability({ sources: [{ network_uuid: 'nw-a' }], destinations: ['if-b2'], services, ...over }, signal);

    it('has one cell for interfaces that are alike, and names who decides', async () => {
      const { classes, cells, left_out, pending } = await asking({
        services: [
          { protocol: 'tcp', port: 22 },
          { protocol: 'tcp', port: 443 },
        ],
      });
      const [alike, restricted, receiver] = ['if-a1', 'if-a2', 'if-b2'].map((uuid) =>
        classes.find(({ sources, destinations }) => [...sources.interface_uuids, ...destinations.interface_uuids].includes(uuid)),
      );
      const said = cells.map(({ source, destination, service, pairs, verdict, reason, admitted_by }) => [
        source,
        destination,
        service,
        pairs,
        verdict,
        reason.code,
        ...reason.uuids,
        ...admitted_by,
        reason.nearest?.rule_uuid ?? '',
      ]);
      expect({ said, alike: alike?.sources.interface_uuids, left_out, pending }).toEqual({
        said: [
          [alike?.id, receiver?.id, 0, 4, 'delivered', 'delivered', 'sgr-ssh', ''],
          [alike?.id, receiver?.id, 1, 4, 'dropped', 'ingress_policy', 'sg-web', 'sgr-ssh'],
          [restricted?.id, receiver?.id, 0, 1, 'dropped', 'egress_policy', 'sg-out', 'sgr-http'],
          [restricted?.id, receiver?.id, 1, 1, 'dropped', 'ingress_policy', 'sg-web', 'sgr-ssh'],
        ],
        alike: ['if-a1', 'if-a21', 'if-a22', 'if-a23'],
        left_out: [{ interface_uuid: 'if-gwa', side: 'sources', why: 'is simulated: nothing is plugged in there that could send' }],
        pending: [],
      });
    });

    it('pairs nobody with itself', async () => {
      const one = await asking({ sources: ['if-a1'], destinations: ['if-a1'] });
      const four = await asking({
        sources: ['if-a1', 'if-a21', 'if-a22'],
        destinations: ['if-a1', 'if-a23'],
        services: [{ protocol: 'icmp' }],
      });
      expect([one.cells, four.cells.map(({ pairs, verdict }) => [pairs, verdict])]).toEqual([[], [[5, 'delivered']]]);
    });

    it('splits what a prefix of a new rule tells apart', async () => {
      const rules = [rule('some', { ports: ['22'], remote: { cidr: '10.1.0.22/31' } })];
      await asked.world.create('security_group', { uuid: 'sg-some', rules });
      await asked.world.update('interface', 'if-b1', { security_group_uuids: ['sg-some'] });
      const { classes, cells } = await asking({
        sources: ['if-a1', 'if-a21', 'if-a22', 'if-a23'],
        destinations: ['if-b1'],
        services: [{ protocol: 'tcp', port: 22 }],
      });
      const membersOf = (id: number) => classes.find((one) => one.id === id)?.sources.interface_uuids;
      expect(cells.map(({ source, verdict }) => [membersOf(source), verdict])).toEqual([
        [['if-a1', 'if-a21'], 'dropped'],
        [['if-a22', 'if-a23'], 'delivered'],
      ]);
    });

    it.each<[string, Partial<ReachQuestion>, unknown]>([
      [
        'what is not there',
        { sources: ['if-nobody', { network_uuid: 'nw-none' }], destinations: [{ security_group_uuid: 'sg-none' }] },
        {
          code: 'invalid_reference',
          reasons: [
            { pointer: '/sources/0', detail: 'there is no interface if-nobody', uuid: 'if-nobody' },
            { pointer: '/sources/1', detail: 'there is no network nw-none', uuid: 'nw-none' },
            { pointer: '/destinations/0', detail: 'there is no security group sg-none', uuid: 'sg-none' },
          ],
        },
      ],
      [
        'an interface that cannot send',
        { sources: ['if-gwa'] },
        {
          code: 'invalid_argument',
          reasons: [{ pointer: '/sources/0', detail: 'if-gwa is simulated: nothing is plugged in there that could send', uuid: 'if-gwa' }],
        },
      ],
    ])('refuses %s', async (_what, over, expected) => {
      expect(await refused(asking(over))).toEqual(expected);
    });

    it('refuses more cells than it works out', async () => {
      const apart = Array.from({ length: 200 }, (_, n) =>
        create('network', { uuid: `nw-x${n}`, ipv4_network: `10.50.${n}.0`, ipv4_prefix: 24 }),
      );
      const alone = apart.map((_, n) =>
        create('interface', { uuid: `if-x${n}`, mode: 'vif', network_uuid: `nw-x${n}`, ipv4_address: `10.50.${n}.5` }),
      );
      await asked.world.vnmgr.execute([...apart, ...alone]);
      const uuids = apart.map((_, n) => `if-x${n}`);
      expect(await refused(asking({ sources: uuids, destinations: uuids }))).toEqual({ code: 'too_many_classes', reasons: [] });
    });

    it('ends when nobody waits any more', async () => {
      const gone = asked.world.vnmgr.reachability({ sources: ['if-a1'], destinations: ['if-b2'], services }, AbortSignal.abort());
      expect(await refused(gone)).toEqual({ code: 'unavailable', reasons: [] });
    });
  });
});
