import type { TraceAnswer } from '../../../flows/trace/explain/answer.js';
import type { TraceQuestion } from '../../../flows/trace/explain/question.js';
import { BatchReader } from '../../../webapi/rest/batch-operations.js';
import { at, definitions, FLOATING, MASQUERADE, STATIC, translation, VMS, type VmName } from '../../e2e/nat-world.js';
import { vif, World, type Vna } from '../world.js';
import { question } from './trace-world.js';

/** Where each VM is. */
const PLACES: readonly (readonly [string, Readonly<Record<VmName, 1 | 2>>])[] = [
  ['one hypervisor', { a: 1, b: 1, c: 1, x: 1, y: 1, d: 1, e: 1 }],
  ['two hypervisors', { a: 1, b: 2, c: 2, x: 1, y: 2, d: 2, e: 1 }],
  ['two hypervisors, handed over', { a: 2, b: 1, c: 1, x: 2, y: 1, d: 1, e: 2 }],
];

async function startNatWorld(place: Readonly<Record<VmName, 1 | 2>>) {
  const world = await World.start();
  const vnas: Vna[] = [];
  for (const n of [1, 2] as const) {
    const vifs = (Object.keys(VMS) as VmName[]).filter((name) => place[name] === n).map((name) => vif(`v${name}`, `if-${name}`));
    const endpoints = [{ address: `192.0.2.${n}`, mac: null, underlay: 'underlay', mtu: 1500 }];
    vnas.push(await world.attach(`hv${n}`, vifs, { endpoints, encaps: ['geneve'], underlay: null }));
  }
  await world.vnmgr.execute(
    new BatchReader().read({ operations: [...definitions(), { method: 'POST', path: '/translations', body: translation }] } as never),
  );
  const trace = (over: Partial<TraceQuestion>): Promise<TraceAnswer> => {
    for (const vna of vnas) vna.confirm();
    return world.vnmgr.trace({ question: question(over) });
  };
  return { world, trace };
}

/** Each router of a way with the address it answers from, and what it makes of addresses and ports. */
function routers(hops: TraceAnswer['hops']): string[] {
  return hops.map(({ name, address, rewrites, ttl: [before, after] }) => {
    const changed = Object.entries(rewrites).filter(([field]) => !field.startsWith('eth_'));
    const what = changed.map(([field, { before: was, after: is }]) => ` ${field} ${was} → ${is}`).join('');
    return `${name} ${address} ${before}-${after}${what}`;
  });
}

const [A, B, C, D] = (['a', 'b', 'c', 'd'] as const).map((name) => at(VMS[name].net, VMS[name].host));
const Y = at('far', 10);
const [FIP_A, FIP_C, OWN] = [at('out', FLOATING.a), at('out', FLOATING.c), at('out', MASQUERADE)];

/** Source, destination, port; verdict and reason, routers there, routers back, what traceroute shows. */
const WAYS: readonly (readonly [string, Partial<TraceQuestion>, object])[] = [
  [
    'from a floating IP to outside',
    { source: 'if-a', destination: Y },
    {
      said: 'delivered delivered if-y',
      there: ['rt-in 10.60.1.1 64-63', `rt-nat 10.60.0.2 63-62 ip_src ${A} → ${FIP_A}`, 'rt-far 203.0.113.2 62-61'],
      back: ['rt-far 198.51.100.1 64-63', `rt-nat 203.0.113.1 63-62 ip_dst ${FIP_A} → ${A}`, 'rt-in 10.60.0.1 62-61'],
      traceroute: ['10.60.1.1', '10.60.0.2', '203.0.113.2', Y],
    },
  ],
  [
    'from behind the address of a router',
    { source: 'if-b', destination: Y },
    {
      said: 'delivered delivered if-y',
      there: ['rt-in 10.60.1.1 64-63', `rt-nat 10.60.0.2 63-62 ip_src ${B} → ${OWN}`, 'rt-far 203.0.113.2 62-61'],
      back: ['rt-far 198.51.100.1 64-63', `rt-nat 203.0.113.1 63-62 ip_dst ${OWN} → ${B}`, 'rt-in 10.60.0.1 62-61'],
      traceroute: ['10.60.1.1', '10.60.0.2', '203.0.113.2', Y],
    },
  ],
  [
    'from outside to a floating IP',
    { source: 'if-y', destination: FIP_A },
    {
      said: 'delivered delivered if-a',
      there: ['rt-far 198.51.100.1 64-63', `rt-nat 203.0.113.1 63-62 ip_dst ${FIP_A} → ${A}`, 'rt-in 10.60.0.1 62-61'],
      back: [`rt-in 10.60.1.1 64-63 ip_src ${A} → ${FIP_A}`, 'rt-nat 10.60.0.2 63-62', 'rt-far 203.0.113.2 62-61'],
      traceroute: ['198.51.100.1', '203.0.113.1', '10.60.0.1', FIP_A],
    },
  ],
  [
    'from one floating IP to another',
    { source: 'if-a', destination: FIP_C },
    {
      said: 'delivered delivered if-c',
      there: [
        'rt-in 10.60.1.1 64-63',
        `rt-nat 10.60.0.2 63-62 ip_src ${A} → ${FIP_A}`,
        `rt-nat 203.0.113.1 62-61 ip_dst ${FIP_C} → ${C}`,
        'rt-in 10.60.0.1 61-60',
      ],
      back: [
        `rt-in 10.60.1.1 64-63 ip_src ${C} → ${FIP_C}`,
        'rt-nat 10.60.0.2 63-62',
        `rt-nat 203.0.113.1 62-61 ip_dst ${FIP_A} → ${A}`,
        'rt-in 10.60.0.1 61-60',
      ],
      traceroute: ['10.60.1.1', '10.60.0.2', '203.0.113.1', '10.60.0.1', FIP_C],
    },
  ],
  [
    'to its own floating IP',
    { source: 'if-a', destination: FIP_A },
    {
      said: 'delivered delivered if-a',
      there: [
        'rt-in 10.60.1.1 64-63',
        `rt-nat 10.60.0.2 63-62 ip_src ${A} → ${FIP_A}`,
        `rt-nat 203.0.113.1 62-61 ip_dst ${FIP_A} → ${A}`,
        'rt-in 10.60.0.1 61-60',
      ],
      back: expect.any(Array) as string[],
      traceroute: ['10.60.1.1', '10.60.0.2', '203.0.113.1', '10.60.0.1', FIP_A],
    },
  ],
  [
    'to a router that translates',
    { source: 'if-y', destination: OWN },
    { said: 'rejected local_service rt-nat', there: ['rt-far 198.51.100.1 64-63'], back: null, traceroute: ['198.51.100.1', OWN] },
  ],
  [
    'to a port that is translated',
    { source: 'if-y', destination: at('out', STATIC.port), destination_port: 8080 },
    {
      said: 'delivered delivered if-d',
      there: ['rt-far 198.51.100.1 64-63', `rl-tr 203.0.113.3 63-62 ip_dst ${at('out', STATIC.port)} → ${D} tcp_dst 8080 → 80`],
      back: [`rl-tr 10.61.0.1 64-63 ip_src ${D} → ${at('out', STATIC.port)} tcp_src 80 → 8080`, 'rt-far 203.0.113.2 63-62'],
      traceroute: ['198.51.100.1', '203.0.113.3', at('out', STATIC.port)],
    },
  ],
  [
    'from whom a translation without passthrough does not name',
    { source: 'if-e', destination: at('out', 10) },
    { said: 'dropped untranslated if-trout', there: ['rl-tr 10.61.0.1 64-63'], back: null, traceroute: ['10.61.0.1', '*'] },
  ],
];

describe.each(PLACES)('a trace of translated addresses, on %s', (_where, place) => {
  let asked: Awaited<ReturnType<typeof startNatWorld>>;
  beforeAll(async () => (asked = await startNatWorld(place)));
  afterAll(() => asked.world.vnmgr.close());

  it.each(WAYS)(
    '%s: names the routers there and back with what each translates, and what traceroute shows',
    async (_what, over, expected) => {
      const { verdict, reason, hops, return: back, traceroute } = await asked.trace({ destination_port: 80, ...over });
      expect({
        said: [verdict, reason.code, ...reason.uuids.slice(0, 1)].join(' '),
        there: routers(hops),
        back: back && routers(back.hops),
        traceroute: traceroute.map(({ address }) => address ?? '*'),
      }).toEqual(expected);
    },
  );

  it('is of the connection that the first packet opened: later ones and answers are translated alike', async () => {
    const {
      verdict,
      hops,
      return: back,
    } = await asked.trace({ source: 'if-b', destination: Y, destination_port: 80, ct_state: 'established' });
    expect([verdict, routers(hops)[1], back?.verdict, routers(back!.hops)[1]]).toEqual([
      'delivered',
      `rt-nat 10.60.0.2 63-62 ip_src ${B} → ${OWN}`,
      'delivered',
      `rt-nat 203.0.113.1 63-62 ip_dst ${OWN} → ${B}`,
    ]);
  });
});
