/** Floating IPs and source NAT as VMs on both sides see them, on one hypervisor and on two. */
import { Lab } from '../lab/lab.js';
import type { Hotori } from '../lab/hotori.js';
import { UNDERLAY_BRIDGE } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';
import { eventually } from '../lab/eventually.js';
import { checkFabric } from './fabric-check.js';
import {
  at,
  configure,
  crossings,
  definitions,
  endpointOf,
  FLOATING,
  MASQUERADE,
  seenAs,
  serve,
  STATIC,
  traceroute,
  translation,
  VMS,
  type VmName,
} from './nat-world.js';
import { said } from './trace-real.js';
import { listeningOn } from './three-hypervisors.js';
import { post } from './world.js';

const FAMILIES = [false, true];
const NAMES = Object.keys(VMS) as VmName[];

/** Where each VM is. */
const APART = { a: 1, b: 2, c: 2, x: 1, y: 2, d: 2, e: 1 } as const;
/** Name, places, the overlay mode of the hypervisors. */
const WORLDS: readonly (readonly [string, Readonly<Record<VmName, 1 | 2>>, 'auto' | 'explicit'])[] = [
  ['one hypervisor', { a: 1, b: 1, c: 1, x: 1, y: 1, d: 1, e: 1 }, 'auto'],
  ['two hypervisors', APART, 'auto'],
  ['two hypervisors between which nothing crosses that is not named', APART, 'explicit'],
];

describe.each(WORLDS)('addresses translated on %s', (_where, place, mode) => {
  let lab: Lab;
  let hotori: Hotori;
  const vms = {} as Record<VmName, Vm>;

  beforeAll(async () => {
    lab = await Lab.create();
    const underlay = await lab.addUnderlay();
    for (const n of new Set(Object.values(place))) await underlay.attach(await lab.addHypervisor(`hv${n}`), 1, 9 + n);
    const vna = underlay.attachments.map(({ hypervisor: { ovs, name }, ipv4 }) => ({
      ovsdb: ovs.ovsdbEndpoint,
      datapath_type: ovs.datapathType,
      node_id: name,
      bridge_mappings: { underlay: UNDERLAY_BRIDGE },
      overlay: { address: [ipv4], encap: ['geneve'] },
    }));
    hotori = await lab.startHotori({ ovs: lab.hypervisors[0]!.ovs, vna, args: ['--overlay-mode', mode] });
    await hotori.untilInstalled();
    await hotori.post('/batch?wait=installed', { operations: [...definitions(), post('translations', translation)] });
    if (mode === 'explicit') await hotori.post('/batch?wait=installed', { operations: crossings(underlay.attachments) });
    for (const name of NAMES) {
      const { mac_address } = await hotori.get(`/interfaces/if-${name}`);
      vms[name] = await lab.addVm(lab.hypervisors[place[name] - 1]!, { name: `v${name}`, iface_id: `if-${name}`, mac: mac_address });
      await configure(name, vms[name]);
      serve(vms[name], 80);
    }
    for (const name of NAMES) {
      const { ovs } = lab.hypervisors[place[name] - 1]!;
      await eventually(`the port of ${name} being open`, async () => {
        const revision = await ovs.vsctl('--if-exists', 'get', 'Interface', `v${name}`, 'external_ids:hotori-installed-revision');
        return revision.trim() !== '';
      });
      await listeningOn(vms[name], 80);
    }
    await hotori.untilInstalled();
    // The first packets wait for the underlay's neighbours.
    await Promise.all([vms.a.ping(at('far', 10), { count: 2 }), vms.b.ping(at('out', 10), { count: 2 })]);
  }, 60_000);
  afterAll(async () => {
    try {
      await checkFabric({
        lab,
        hotori,
        vms: NAMES.map((name) => ({ hypervisor: place[name], vm: vms[name], ...endpointOf(name, vms[name]) })),
      });
    } finally {
      await lab.destroy();
    }
  }, 60_000);

  it('shows a floating IP in both directions', async () => {
    const seen = await Promise.all(
      FAMILIES.map(async (v6) => ({
        out: await seenAs(vms.a, at('out', 10, v6), 80),
        far: await seenAs(vms.a, at('far', 10, v6), 80),
        in: await seenAs(vms.x, at('out', FLOATING.a, v6), 80),
        from: await seenAs(vms.y, at('out', FLOATING.a, v6), 80),
        ping: (await vms.y.ping(at('out', FLOATING.a, v6), { count: 2 })).received,
      })),
    );
    const floating = FAMILIES.map((v6) => at('out', FLOATING.a, v6));
    expect(seen).toEqual(
      FAMILIES.map((v6, i) => ({ out: floating[i], far: floating[i], in: at('out', 10, v6), from: at('far', 10, v6), ping: 2 })),
    );
    // On the hypervisor of the VM alone.
    const tracked = await Promise.all(lab.hypervisors.map(({ ovs }) => ovs.appctl('dpctl/dump-conntrack')));
    expect(tracked.map((connections) => connections.includes(at('out', FLOATING.a)))).toEqual(
      lab.hypervisors.map((_, i) => i === place.a - 1),
    );
  }, 30_000);

  it('lets others leave by an address of the router, which answers for itself', async () => {
    const seen = await Promise.all(
      FAMILIES.map(async (v6) => ({
        out: await seenAs(vms.b, at('out', 10, v6), 80),
        far: await seenAs(vms.b, at('far', 10, v6), 80),
        ping: (await vms.b.ping(at('far', 10, v6), { count: 2 })).received,
        near: await seenAs(vms.b, at('in', 10, v6), 80),
        router: (await vms.y.ping(at('out', MASQUERADE, v6), { count: 1 })).received,
        closed: await refused(vms.y, at('out', MASQUERADE, v6), 80),
      })),
    );
    expect(seen).toEqual(
      FAMILIES.map((v6) => {
        const router = at('out', MASQUERADE, v6);
        return { out: router, far: router, ping: 2, near: at('in', 11, v6), router: 1, closed: 'ECONNREFUSED' };
      }),
    );
  }, 30_000);

  it('reaches a floating IP from behind the same router, and from behind itself', async () => {
    const seen = await Promise.all(
      FAMILIES.map(async (v6) => ({
        other: await seenAs(vms.a, at('out', FLOATING.c, v6), 80),
        itself: await seenAs(vms.a, at('out', FLOATING.a, v6), 80),
        ping: (await vms.a.ping(at('out', FLOATING.a, v6), { count: 1 })).received,
        masked: await seenAs(vms.b, at('out', FLOATING.a, v6), 80),
      })),
    );
    // The group of c lets in IPv4 of the outside.
    expect(seen).toEqual(
      FAMILIES.map((v6) => ({
        other: v6 ? '' : at('out', FLOATING.a),
        itself: at('out', FLOATING.a, v6),
        ping: 1,
        masked: at('out', MASQUERADE, v6),
      })),
    );
  }, 30_000);

  // How the rest goes does not depend on what may cross.
  if (mode === 'explicit') return;

  it('is traced as real packets go: who is seen, which routers answer, and the switches agree', async () => {
    const ways: readonly (readonly [VmName, VmName, (v6: boolean) => string])[] = [
      ['a', 'y', (v6) => at('far', 10, v6)],
      ['b', 'y', (v6) => at('far', 10, v6)],
      ['y', 'a', (v6) => at('out', FLOATING.a, v6)],
      ['x', 'a', (v6) => at('out', FLOATING.a, v6)],
      ['a', 'c', () => at('out', FLOATING.c)],
      ['a', 'a', (v6) => at('out', FLOATING.a, v6)],
      ['b', 'a', (v6) => at('out', FLOATING.a, v6)],
      ['y', 'd', () => at('out', STATIC.whole)],
    ];
    const compared = await Promise.all(
      ways.flatMap(([from, , address]) =>
        [...new Set(FAMILIES.map(address))].map(async (destination) => {
          const question = { source: `if-${from}`, destination };
          const tcp = await said(hotori, { ...question, destination_port: 80 });
          const icmp = await said(hotori, question);
          const real = { seen: await seenAs(vms[from], destination, 80), routers: await traceroute(vms[from], '-I', destination) };
          const { verdict, back, seen, contradictions } = tcp;
          return {
            said: {
              from,
              destination,
              verdict,
              back,
              seen,
              routers: icmp.traceroute,
              contradictions: [...contradictions, ...icmp.contradictions],
            },
            real: {
              from,
              destination,
              verdict: 'delivered delivered',
              back: 'delivered',
              seen: real.seen,
              routers: real.routers,
              contradictions: [],
            },
          };
        }),
      ),
    );
    expect(compared.map((one) => one.said)).toEqual(compared.map((one) => one.real));
  }, 60_000);

  it('judges by groups what came to the address behind, seen from the address it came from', async () => {
    const c = at('out', FLOATING.c);
    expect([await seenAs(vms.y, c, 80), await seenAs(vms.x, c, 80), await seenAs(vms.b, at('in', 12), 80)]).toEqual([
      at('far', 10),
      at('out', 10),
      '',
    ]);
  }, 30_000);

  it('translates static addresses and ports of an interface, and lets others pass only if told to', async () => {
    const whole = at('out', STATIC.whole);
    const port = at('out', STATIC.port);
    const strict = {
      out: await seenAs(vms.d, at('far', 10), 80),
      in: await seenAs(vms.y, whole, 80),
      ping: (await vms.y.ping(whole, { count: 1 })).received,
      port: await seenAs(vms.y, port, 8080),
      near: [await seenAs(vms.x, whole, 80), await seenAs(vms.x, port, 8080), await seenAs(vms.x, port, 80)],
      itself: (await vms.y.ping(port, { count: 1 })).received,
      other: await seenAs(vms.e, at('out', 10), 80),
      trace: await traceroute(vms.y, '-I', whole),
    };
    await vms.x.netns.run(['ip', 'route', 'add', `${at('tr', 0)}/24`, 'via', at('out', STATIC.own)]);
    await hotori.put('/translations/tr-1?wait=installed', { passthrough: true });
    // The switch still goes over what it has cached, and one connection is tried only once.
    await Promise.all(lab.hypervisors.map(({ ovs }) => ovs.revalidated()));
    const open = { other: await seenAs(vms.e, at('out', 10), 80), still: await seenAs(vms.d, at('out', 10), 80) };
    expect({ strict, open }).toEqual({
      strict: {
        out: whole,
        in: at('far', 10),
        ping: 1,
        port: at('far', 10),
        near: [at('out', 10), at('out', 10), ''],
        itself: 1,
        other: '',
        trace: [at('far', 1), at('out', STATIC.own), whole],
      },
      open: { other: at('tr', 11), still: whole },
    });
  }, 30_000);

  it('lists every router and then the destination, both ways', async () => {
    const tools = [[], ['-I'], ['-T', '-p', '80']];
    const found: Record<string, string[][]> = {};
    const ask = async (name: string, from: Vm, to: string, v6: boolean) => {
      found[name] = [];
      for (const tool of tools) found[name].push(await traceroute(from, ...(v6 ? ['-6'] : []), ...tool, to));
    };
    for (const v6 of FAMILIES) {
      const family = v6 ? '6' : '';
      await ask(`floating to outside${family}`, vms.a, at('far', 10, v6), v6);
      await ask(`masked to outside${family}`, vms.b, at('far', 10, v6), v6);
      await ask(`outside to floating${family}`, vms.y, at('out', FLOATING.a, v6), v6);
      await ask(`floating to floating${family}`, vms.a, at('out', FLOATING.c, v6), v6);
    }
    const expected: Record<string, string[][]> = {};
    for (const v6 of FAMILIES) {
      const family = v6 ? '6' : '';
      const out = [at('in', 1, v6), at('mid', 2, v6), at('out', 2, v6), at('far', 10, v6)];
      const back = [at('far', 1, v6), at('out', 1, v6), at('mid', 1, v6), at('out', FLOATING.a, v6)];
      const turn = [at('in', 1, v6), at('mid', 2, v6), at('out', 1, v6), at('mid', 1, v6)];
      const c = at('out', FLOATING.c, v6);
      expected[`floating to outside${family}`] = [out, out, out];
      expected[`masked to outside${family}`] = [out, out, out];
      expected[`outside to floating${family}`] = [back, back, back];
      // Its group lets in echo, and of TCP what comes from an IPv4 address outside.
      const silent = ['*', '*', '*', '*'];
      expected[`floating to floating${family}`] = [[...turn, ...silent], [...turn, c], v6 ? [...turn, ...silent] : [...turn, c]];
    }
    expect(found).toEqual(expected);
    // By the TTL of answers: `asymm` where it does not tell how far they come from.
    const path = (await vms.y.exec(['tracepath', '-n', '-m', '8', at('out', FLOATING.a)], { timeoutMs: 30_000 })).stdout;
    expect([/asymm/.test(path), /hops 4 back 4/.test(path)]).toEqual([false, true]);
  }, 60_000);

  it('lists routers as their modes say', async () => {
    const inAndOut = [at('in', 1), at('out', 2), at('far', 10)];
    const silent = ['*', '*', '*'];
    const expected = {
      // Translation parts a run of routers: after the router on the way out, before it on the way in.
      collapsed: [inAndOut, inAndOut, [at('far', 1), at('out', 1), at('out', FLOATING.a)]],
      off: [
        [...silent, at('far', 10)],
        [...silent, at('far', 10)],
        [...silent, at('out', FLOATING.a)],
      ],
    };
    const mode = (traceroute: string) => ({
      operations: ['rt-in', 'rt-nat', 'rt-far'].map((uuid) => ({ method: 'PUT', path: `/routers/${uuid}`, body: { traceroute } })),
    });
    for (const [name, lists] of Object.entries(expected)) {
      await hotori.post('/batch?wait=installed', mode(name));
      // What is installed is in force for every packet once the switch has been over its cached flows (routing.test.ts).
      await Promise.all(lab.hypervisors.map(({ ovs }) => ovs.revalidated()));
      const asked = [traceroute(vms.a, '-I', at('far', 10)), traceroute(vms.b, '-I', at('far', 10))];
      expect([name, await Promise.all([...asked, traceroute(vms.y, '-I', at('out', FLOATING.a))])]).toEqual([name, lists]);
    }
    await hotori.post('/batch?wait=installed', mode('virtual-hops'));
  }, 30_000);
});

/** How a connection fails. */
async function refused(from: Vm, address: string, port: number): Promise<string> {
  const script = `const s = require('node:net').connect(${port}, '${address}'); s.on('error', (e) => console.log(e.code)); s.on('connect', () => process.exit()); setTimeout(() => process.exit(), 2000);`;
  return (await from.exec([process.execPath, '-e', script])).stdout.trim();
}
