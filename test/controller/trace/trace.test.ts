import type { TraceAnswer } from '../../../flows/trace/explain/answer.js';
import type { TraceQuestion } from '../../../flows/trace/explain/question.js';
import { create, refused, vif } from '../world.js';
import { question, startTraceWorld, type TraceWorld } from './trace-world.js';

let asked: TraceWorld;
beforeAll(async () => (asked = await startTraceWorld()));
afterAll(() => asked.world.vnmgr.close());

/** Verdict, code, who is responsible, in a line. */
async function outcome(over: Partial<TraceQuestion>): Promise<string> {
  const { verdict, reason } = await asked.trace(over);
  return [verdict, reason.code, ...reason.uuids, ...(reason.told === null ? [] : [`(${reason.told})`])].join(' ');
}

/** Which flows were hit, by what makes them the same on every datapath twin: zones and ports are numbered as they come. */
function walked({ visits }: TraceAnswer): readonly unknown[] {
  return visits.flatMap(({ steps }) => steps.map(({ table, priority, cookie, rewrites }) => [table, priority, cookie, rewrites]));
}

describe('a trace', () => {
  it.each<[string, Partial<TraceQuestion>, string]>([
    ['a rule admits', { destination_port: 22 }, 'delivered delivered if-b2'],
    ['a rule admits, over the family that is asked for', { family: 'ipv6' }, 'delivered delivered if-b2'],
    ['a rule admits, over IPv6', { destination: 'fd00:2::12' }, 'delivered delivered if-b2'],
    ['there are two routers between', { destination: 'if-c1' }, 'delivered delivered if-c1'],
    ['no rule of the receiver admits', { destination_port: 443 }, 'dropped ingress_policy if-b2 sg-web'],
    ['no rule of the sender admits', { source: 'if-a2', destination: 'if-b1' }, 'dropped egress_policy if-a2 sg-out'],
    ['a rule drops', { destination_port: 23 }, 'dropped ingress_rule sgr-never sg-web'],
    ['a rule rejects', { destination_port: 24 }, 'rejected ingress_rule sgr-no sg-web (administratively prohibited, TCP a reset)'],
    ['its sender does not have the address', { source_address: '10.1.0.99' }, 'dropped spoof if-a1'],
    ['its sender does not have the MAC', { source_mac: '02:00:00:00:00:99' }, 'dropped spoof if-a1'],
    ['a route is a black hole', { destination: '10.9.0.1' }, 'dropped blackhole r-hole rl-ab'],
    ['a route is unreachable', { destination: '10.8.0.1' }, 'rejected unreachable r-far rl-ab (host unreachable)'],
    ['there is no route', { destination: '10.7.0.1' }, 'rejected no_route rl-ab (network unreachable)'],
    ['nobody has the address behind a router', { destination: '10.2.0.77' }, 'rejected no_neighbor nw-b (host unreachable)'],
    ['nobody has the address nearby', { destination: '10.1.0.77' }, 'dropped unknown_arp nw-a'],
    ['its receiver is plugged nowhere', { destination: 'if-b3' }, 'rejected not_plugged if-b3 (host unreachable)'],
    ['its sender is plugged nowhere', { source: 'if-b3' }, 'dropped source_not_plugged if-b3'],
    ['it is for the router itself', { destination: '10.2.0.1' }, 'answered answered rl-ab'],
    [
      'the router has no such service',
      { destination: '10.1.0.1', destination_port: 22 },
      'rejected local_service rl-ab (port unreachable, TCP a reset)',
    ],
    ['its TTL runs out at the second router', { destination: 'if-c1', ttl: 2 }, 'rejected ttl rl-bc (time exceeded)'],
    ['the tunnel is too narrow', { size: 1480, df: true }, 'rejected too_big dp-one dp-two (packet too big)'],
    ['its sender is named by address', { source: '10.1.0.11@nw-a', destination: '10.2.0.11' }, 'delivered delivered if-b1'],
    [
      'it is handed to a VM that is to pass it on',
      { destination: '10.2.0.11', next_hop: '10.1.0.12', source: 'if-a1' },
      'dropped ingress_policy if-a2 sg-out',
    ],
  ])('says what becomes of a packet when %s', async (_when, over, expected) => {
    expect(await outcome(over)).toBe(expected);
  });

  it('names the rule that is nearest to admitting what is denied, and what differs', async () => {
    const { reason } = await asked.trace({ destination_port: 8101 });
    expect(reason.nearest).toEqual({
      rule_uuid: 'sgr-high',
      security_group_uuid: 'sg-web',
      text: 'allow ingress tcp 8000-8100 from anywhere',
      differs: ['its ports are 8000-8100, not 8101'],
    });
    expect((await asked.trace({ protocol: 'udp', destination_port: 53 })).reason.nearest).toMatchObject({
      rule_uuid: 'sgr-peers',
      differs: ['it is from members of sg-web only'],
    });
  });

  it('shows the routers, what each was entered and left by, what traceroute shows, the tunnel and the way back', async () => {
    const { hops, traceroute, tunnels, return: back, admitted_by } = await asked.trace({ destination: 'if-c1' });
    expect({
      hops: hops.map(({ name, address, in: from, out, ttl, reason }) => [
        name,
        address,
        from?.interface_uuid,
        out?.interface_uuid,
        ...ttl,
        reason,
      ]),
      traceroute: traceroute.map(({ address, mark }) => `${address}${mark}`),
      tunnels,
      back: [back?.verdict, ...(back?.hops.map(({ name }) => name) ?? [])],
      admitted_by,
    }).toEqual({
      hops: [
        ['rl-ab', '10.1.0.1', 'if-gwa', 'if-gwb', 64, 63, 'route 10.3.0.0/24'],
        ['rl-bc', '10.2.0.2', 'if-gxb', 'if-gxc', 63, 62, 'route 10.3.0.0/24'],
      ],
      traceroute: ['10.1.0.1', '10.2.0.2', '10.3.0.11'],
      tunnels: [{ from: 'dp-one', to: 'dp-two', encapsulation: 'geneve', local: '192.0.2.1', remote: '192.0.2.2', vni: 3, mtu: 1442 }],
      back: ['delivered', 'rl-bc', 'rl-ab'],
      admitted_by: [],
    });
  });

  it('names the owners of every flow that was hit', async () => {
    const { visits } = await asked.trace({ destination_port: 22 });
    const made = visits.flatMap(({ datapath_uuid, steps }) =>
      steps.map(({ table_name, rule, uuids }) => `${datapath_uuid} ${table_name} ${rule}: ${uuids.join(' ')}`),
    );
    expect(made).toEqual(
      expect.arrayContaining([
        'dp-one CLASSIFY port: if-a1',
        'dp-one FIB route: r-b rl-ab',
        'dp-one TUNNEL_OUT tunnel: dp-two',
        'dp-two IN_POLICY security group rule: sg-web sgr-ssh',
        'dp-two OUT_LOCAL port: if-b2',
      ]),
    );
  });

  it('lets the answer of an admitted connection pass, and not a connection the other way', async () => {
    const there = await asked.trace({ source: 'if-b2', destination: 'if-a2', destination_port: 80 });
    expect([there.verdict, there.reason.code]).toEqual(['dropped', 'ingress_policy']);
    const established = await asked.trace({ destination_port: 22, ct_state: 'established' });
    expect(established.visits.at(-1)?.conntrack).toEqual([{ zone_of: 'if-b2', state: 'est,trk' }]);
    expect([established.verdict, established.return?.verdict]).toEqual(['delivered', 'delivered']);
  });

  it.each<[string, Partial<TraceQuestion>, string]>([
    ['a later one where its sender could have opened it', { destination_port: 22 }, 'established delivered'],
    ['a first one where nobody could have', { destination_port: 443 }, 'new dropped'],
    [
      'an answer where only its receiver could have',
      { source: 'if-b1', destination: 'if-a2', source_port: 80, destination_port: 40000 },
      'reply delivered',
    ],
    [
      'no answer from a port that its receiver may not open',
      { source: 'if-b1', destination: 'if-a2', source_port: 22, destination_port: 40000 },
      'new dropped',
    ],
    ['an echo reply to a ping that gets there', { source: 'if-b2', destination: 'if-a1', icmp_type: 0 }, 'reply delivered'],
    ['an echo reply to a ping that does not', { source: 'if-b2', destination: 'if-c1', icmp_type: 0 }, 'new dropped'],
  ])('takes a packet for %s, when that is left to it', async (_what, over, expected) => {
    const { ct_state, verdict } = await asked.trace({ ct_state: 'auto', ...over });
    expect(`${ct_state} ${verdict}`).toBe(expected);
  });

  it('tries operations that are not committed, and leaves nothing of them', async () => {
    const { vnmgr } = asked.world;
    const before = [vnmgr.revision(), await asked.trace({ destination_port: 443 })];
    const operations = [
      { verb: 'update', kind: 'interface', uuid: 'if-b2', params: { security_group_uuids: [] } },
      create('route', { uuid: 'r-no', type: 'prohibit', route_link_uuid: 'rl-ab', ipv4_network: '10.2.0.12', ipv4_prefix: 32 }),
    ] as const;
    const open = await asked.trace({ destination_port: 443 }, { operations: [operations[0]] });
    const shut = await asked.trace({ destination_port: 443 }, { operations: [operations[1]] });
    expect([open, shut].map(({ uncommitted, verdict, reason }) => [uncommitted, verdict, reason.code])).toEqual([
      [true, 'delivered', 'delivered'],
      [true, 'rejected', 'prohibited'],
    ]);
    expect([vnmgr.revision(), await asked.trace({ destination_port: 443 })]).toEqual(before);
  });

  it('refuses operations that would be refused, with their reasons', async () => {
    const operation = create('interface', { uuid: 'if-x', mode: 'vif', network_uuid: 'nw-a', ipv4_address: '10.1.0.11' });
    expect((await refused(asked.trace({}, { operations: [operation] }))).reasons.map(({ pointer }) => pointer)).toEqual(['/ipv4_address']);
    expect(await outcome({ destination_port: 22 })).toBe('delivered delivered if-b2');
  });

  it('goes back to earlier revisions, and says so of those that are gone or not there yet', async () => {
    const { world } = asked;
    const { number } = world.vnmgr.revision();
    await world.update('interface', 'if-b2', { security_group_uuids: [] });
    await world.update('interface', 'if-b2', { security_group_uuids: ['sg-web'] });
    const verdicts = [];
    for (const revision of [number, number + 1, number + 2]) {
      const answer = await asked.trace({ destination_port: 443 }, { revision });
      verdicts.push([answer.revision - number, answer.verdict]);
    }
    expect(verdicts).toEqual([
      [0, 'dropped'],
      [1, 'delivered'],
      [2, 'dropped'],
    ]);
    const restarted = await startTraceWorld();
    const later = await restarted.world.restart();
    const at = later.vnmgr.revision().number;
    expect((await refused(later.vnmgr.trace({ question: question({}), revision: at - 1 }))).code).toBe('compacted');
    expect((await refused(later.vnmgr.trace({ question: question({}), revision: at + 1 }))).code).toBe('invalid_argument');
    await later.vnmgr.close();
  });

  it('does not say what a datapath does that has not applied the revision', async () => {
    const { world, one } = asked;
    await world.update('network', 'nw-a', { display_name: 'later' });
    const { verdict, reason, would_be, pending } = await world.vnmgr.trace({ question: question({ destination_port: 22 }) });
    expect({ verdict, code: reason.code, would_be: would_be?.verdict, pending: pending.map(({ datapath_uuid }) => datapath_uuid) }).toEqual(
      {
        verdict: 'undecidable',
        code: 'not_applied_yet',
        would_be: 'delivered',
        pending: ['dp-one', 'dp-two'],
      },
    );
    one.confirm();
  });

  it('says the same after changes that it followed as a trace that is asked for the first time', async () => {
    const { world, two } = asked;
    await two.see([vif('tap1', 'if-b2'), vif('tap2', 'if-c1'), vif('tap3', 'if-b3')]);
    await world.update('security_group', 'sg-web', { default: 'allow' });
    const followed = await asked.trace({ destination: 'if-b3', destination_port: 22 });
    expect([followed.verdict, await outcome({ destination_port: 9 })]).toEqual(['delivered', 'delivered delivered if-b2']);
    const fresh = await asked.world.restart();
    const again = await fresh.vnmgr.trace({ question: question({ destination: 'if-b3', destination_port: 22 }) });
    expect(walked(again)).toEqual(walked(followed));
    await fresh.vnmgr.close();
  });
});

describe('a trace that cannot be asked', () => {
  it.each<[string, Partial<TraceQuestion>, string, string]>([
    ['an interface that is not there', { source: 'if-nobody' }, 'invalid_reference', '/source'],
    ['a destination that is not there', { destination: 'if-nobody' }, 'invalid_reference', '/destination'],
    ['a network that is not there', { source: '10.1.0.11@nw-nope' }, 'invalid_reference', '/source'],
    ['an address that nobody has', { source: '10.1.0.99@nw-a' }, 'invalid_reference', '/source'],
    ['words', { destination: 'somewhere' }, 'invalid_argument', '/destination'],
    ['a router as sender', { source: 'if-gwa' }, 'invalid_argument', '/source'],
    ['a family that it has no address of', { source: 'if-a4', family: 'ipv6' }, 'invalid_argument', '/source'],
    ['another family', { destination: 'if-b2', source_address: 'fd00:1::11' }, 'invalid_argument', '/source_address'],
  ])('is refused for %s', async (_what, over, code, pointer) => {
    const fresh = await startTraceWorld();
    await fresh.world.create('interface', { uuid: 'if-a4', mode: 'vif', network_uuid: 'nw-a', ipv4_address: '10.1.0.44' });
    const refusal = await refused(fresh.trace(over));
    expect([refusal.code, ...refusal.reasons.map((reason) => reason.pointer)]).toEqual([code, pointer]);
    await fresh.world.vnmgr.close();
  });
});
