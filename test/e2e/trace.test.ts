/** What a trace says, beside what real packets do and what the switches' own trace says. */
import { eventually } from '../lab/eventually.js';
import type { Vm } from '../lab/vm.js';
import { compareRandomTraffic } from './random-traffic.js';
import { address, address6, TraceWorld, type Name } from './trace-world.js';

/** Of random traffic. */
const TOPOLOGIES = Math.ceil(Number(process.env['TRACE_TOPOLOGIES'] ?? 9) / 3);

describe('a trace', () => {
  let world: TraceWorld;

  beforeAll(async () => {
    world = await TraceWorld.start();
  }, 60_000);
  afterAll(() => world.destroy(), 60_000);

  /** What comes of a real connection. */
  async function connect(from: Vm, to: string, port: number): Promise<'delivered' | 'rejected' | 'dropped'> {
    const { code, stderr } = await from.exec(['nc', '-v', '-z', '-w', '1', to, String(port)]);
    if (code === 0) return 'delivered';
    return /refused|unreachable|No route/i.test(stderr) ? 'rejected' : 'dropped';
  }

  async function ping(from: Vm, to: string, ...more: string[]): Promise<'delivered' | 'rejected' | 'dropped'> {
    const { stdout } = await from.exec(['ping', '-n', '-c', '1', '-W', '1', ...more, to]);
    if (/ 1 received/.test(stdout)) return 'delivered';
    return /unreachable|filtered|exceeded|Frag needed|too big|prohibited/i.test(stdout) ? 'rejected' : 'dropped';
  }

  const CONNECTIONS: readonly (readonly [from: Name, to: string, port: number, verdict: string, code: string])[] = [
    ['a1', address('b2'), 22, 'delivered', 'delivered'],
    ['a1', address6('b2'), 22, 'delivered', 'delivered'],
    ['a1', address('c1'), 443, 'delivered', 'delivered'],
    ['a1', address('b2'), 8050, 'delivered', 'delivered'],
    ['a1', address('b2'), 443, 'dropped', 'ingress_policy'],
    ['b1', address6('b2'), 443, 'dropped', 'ingress_policy'],
    ['a1', address('b2'), 23, 'dropped', 'ingress_rule'],
    ['a1', address('b2'), 24, 'rejected', 'ingress_rule'],
    ['a2', address('b1'), 22, 'dropped', 'egress_policy'],
    ['a1', '10.9.0.1', 22, 'dropped', 'blackhole'],
    ['a1', '10.8.0.1', 22, 'rejected', 'prohibited'],
    ['a1', '10.7.0.1', 22, 'rejected', 'no_route'],
    ['a1', '10.2.0.1', 22, 'rejected', 'local_service'],
    ['a1', '10.2.0.77', 22, 'rejected', 'not_plugged'],
    ['a1', '10.2.0.88', 22, 'rejected', 'no_neighbor'],
  ];

  it('says of connections what they do, and the switches agree', async () => {
    const outcomes = await Promise.all(
      CONNECTIONS.map(async ([from, to, port]) => {
        const said = await world.trace({ source: `if-${from}`, destination: to, destination_port: port, verify: true });
        const agrees = said.verified.every((one: { agrees: boolean }) => one.agrees);
        const seen = await connect(world.vms[from], to, port);
        return [from, to, port, said.verdict, said.reason.code, seen, agrees ? 'agrees' : said.verified];
      }),
    );
    expect(outcomes).toEqual(CONNECTIONS.map(([from, to, port, verdict, code]) => [from, to, port, verdict, code, verdict, 'agrees']));
  }, 20_000);

  it('of pings says what pings do: TTLs that run out, packets too big for the tunnel, routers that answer, addresses that are not the own', async () => {
    const { a1 } = world.vms;
    const said = async (question: object) => {
      const { verdict, reason } = await world.trace({ source: 'if-a1', ...question });
      return [verdict, reason.code];
    };
    const seen = [
      await ping(a1, address('c1'), '-t', '2'),
      await ping(a1, address('b2'), '-s', '1440', '-M', 'do'),
      await ping(a1, '10.2.0.1'),
    ];
    await a1.netns.run(['ip', 'addr', 'add', '10.1.0.99/24', 'dev', 'eth0']);
    seen.push(await ping(a1, address('b1'), '-I', '10.1.0.99'));
    await a1.netns.run(['ip', 'addr', 'del', '10.1.0.99/24', 'dev', 'eth0']);
    expect({
      said: [
        await said({ destination: address('c1'), ttl: 2 }),
        await said({ destination: address('b2'), size: 1468, df: true }),
        await said({ destination: '10.2.0.1' }),
        await said({ destination: address('b1'), source_address: '10.1.0.99' }),
      ],
      seen,
    }).toEqual({
      said: [
        ['rejected', 'ttl'],
        ['rejected', 'too_big'],
        ['answered', 'answered'],
        ['dropped', 'spoof'],
      ],
      seen: ['rejected', 'rejected', 'delivered', 'dropped'],
    });
  }, 20_000);

  it('predicts what traceroute shows', async () => {
    const shown = async (from: Vm, to: string, ...more: string[]) => {
      const { stdout } = await from.exec(['traceroute', '-n', '-q', '1', '-w', '1', '-m', '8', ...more, to], { timeoutMs: 20_000 });
      return stdout.split('\n').flatMap((line) => /^\s*\d+\s+(\*|[0-9a-f.:]{3,})/.exec(line)?.[1] ?? []);
    };
    const predicted = async (destination: string, question: object = {}) => {
      const { traceroute } = await world.trace({ source: 'if-a1', destination, ...question });
      return traceroute.map(({ address: from }: { address: string | null }) => from ?? '*');
    };
    const { a1 } = world.vms;
    const targets = [address('c1'), address6('c1'), address('b2')];
    const seen = [];
    const said = [];
    for (const to of targets) {
      seen.push(await shown(a1, to, '-I'));
      said.push(await predicted(to));
    }
    seen.push(await shown(a1, address('c1'), '-T', '-p', '22'));
    said.push(await predicted(address('c1'), { destination_port: 22 }));
    expect(said).toEqual(seen);
  }, 40_000);

  it('says before a change what it would open, and after it the same, as do packets', async () => {
    const { a1 } = world.vms;
    const operations = [{ method: 'PUT', path: '/interfaces/if-b2', body: { security_group_uuids: [] } }];
    const question = { source: 'if-a1', destination: 'if-b2', destination_port: 443 };
    const tried = await world.trace({ ...question, with: { operations } });
    const before = await connect(a1, address('b2'), 443);
    await world.hotori.post('/batch?wait=installed', { operations });
    await world.revalidated();
    const after = [(await world.trace(question)).verdict, await connect(a1, address('b2'), 443)];
    const earlier = await world.trace({ ...question, revision: tried.revision });
    await world.hotori.put('/interfaces/if-b2?wait=installed', { security_group_uuids: ['sg-web'] });
    await world.revalidated();
    expect({ tried: tried.verdict, before, after, earlier: earlier.verdict }).toEqual({
      tried: 'delivered',
      before: 'dropped',
      after: ['delivered', 'delivered'],
      earlier: 'dropped',
    });
  }, 20_000);

  it('finds out when a switch does otherwise than its flows say, asked or not', async () => {
    const { ovs } = world.lab.hypervisors[1]!;
    const counted = async () => {
      const text = await (await fetch(new URL('/metrics', world.hotori.url))).text();
      const values = (name: string) => text.matchAll(new RegExp(`^hotori_vna_trace_${name}_total\\{bridge="br-int"\\} (\\d+)`, 'gm'));
      const value = (name: string) => [...values(name)].reduce((sum, [, count]) => sum + Number(count), 0);
      return { checks: value('checks'), disagreements: value('disagreements') };
    };
    const until = (what: string, isSeen: (now: Awaited<ReturnType<typeof counted>>) => boolean) =>
      eventually(what, async () => [await counted()].find(isSeen), { timeoutMs: 20_000 });
    const before = await until('packets held against the switches', ({ checks }) => checks > 0);
    // Of an owner that the agent does not look after, so that it stays while it is looked at.
    await ovs.ofctl(['add-flow', 'br-int', 'table=72,priority=60000,cookie=0x77,ip,actions=drop']);
    const { verified } = await world.trace({ source: 'if-a1', destination: 'if-b2', destination_port: 22, verify: true });
    const alarm = until('the alarm', ({ disagreements }) => disagreements > 0);
    const after = await alarm.finally(() => ovs.ofctl(['del-flows', 'br-int', 'table=72,cookie=0x77/-1']));
    type Verified = { datapath_uuid: string; agrees: boolean; difference: { what: string } | null };
    expect(verified.map(({ datapath_uuid, agrees, difference }: Verified) => [datapath_uuid, agrees, difference?.what])).toEqual([
      ['dp-hv1', true, undefined],
      ['dp-hv2', false, 'tables of pass 0'],
    ]);
    expect([before.disagreements, after.disagreements > 0]).toEqual([0, true]);
  }, 30_000);

  it('is shown by vnctl, with an exit code', async () => {
    const runs = await Promise.all(
      [
        ['if-a1', 'if-c1', '--tcp', '443', '--verify'],
        ['if-a1', 'if-b2', '--tcp', '8101'],
        ['if-a1', 'if-b2', '--tcp', '22', '--format', 'logical'],
        ['if-a1', '10.8.0.1'],
      ].map((args) => world.vnctl('trace', ...args)),
    );
    expect(runs.map(({ code }) => code)).toEqual([0, 4, 0, 4]);
    expect(runs[0]!.out).toMatch(/verified: the switch of dp-hv1 agrees.*\n.*verified: the switch of dp-hv2 agrees\n/);
  }, 20_000);

  it('says of random packets under random rules whether they arrive, and they do or do not', async () => {
    const found = await compareRandomTraffic(world, TOPOLOGIES, 50, 20_261_121);
    const { pairs, arrived, stale, disagreements } = found;
    console.log(
      `${pairs} random packets, ${TOPOLOGIES} topologies: ${arrived} arrived, ${pairs - arrived} did not, traces disagree on ${disagreements.length}, and on ${stale} until caches were emptied`,
    );
    expect({ disagreements, tried: Math.min(arrived, pairs - arrived) > pairs / 10 }).toEqual({ disagreements: [], tried: true });
  }, 300_000);

  it('leaves nothing behind', () => world.check([/the switch does not do what its flows say/]), 60_000);
});
