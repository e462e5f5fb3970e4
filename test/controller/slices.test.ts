import type { ChassisFacts } from '../../controller/messages/slice.js';
import { create, refused, vif, World, type Vna } from './world.js';

let world: World;
beforeEach(async () => (world = await World.start()));

const vm = (uuid: string, network: string, ipv4_address: string, more = {}) =>
  create('interface', { uuid, mode: 'vif', network_uuid: network, ipv4_address, ...more });

/** A tenant: a network with two VMs. */
async function tenant(n: number): Promise<void> {
  await world.vnmgr.execute([
    create('network', { uuid: `nw-${n}`, ipv4_network: `10.${n}.0.0` }),
    vm(`if-${n}a`, `nw-${n}`, `10.${n}.0.10`),
    vm(`if-${n}b`, `nw-${n}`, `10.${n}.0.11`),
  ]);
}

const own = (vna: Vna) => vna.uuids().filter((uuid) => !/^(ml|il|ch)-/.test(uuid));

describe('a slice', () => {
  it('has the bindings of the NICs in its first snapshot', async () => {
    await tenant(1);
    const vna = await world.attach('a', [vif('tap1', 'if-1a')]);
    expect(vna.messages.map(({ kind }) => kind)).toEqual(['snapshot']);
    expect(own(vna)).toEqual(['bind-if-1a', 'dp-a', 'if-1a', 'if-1b', 'nw-1']);
  });

  it('holds nothing of a tenant without NICs here, and hears nothing of it', async () => {
    await tenant(1);
    await tenant(2);
    const vna = await world.attach('a', [vif('tap1', 'if-1a')]);
    const told = vna.messages.length;
    await world.vnmgr.execute([vm('if-2c', 'nw-2', '10.2.0.12')]);
    await world.update('network', 'nw-2', { display_name: 'other' });
    await world.delete('interface', 'if-2a');
    expect([vna.messages.length, own(vna)]).toEqual([told, ['bind-if-1a', 'dp-a', 'if-1a', 'if-1b', 'nw-1']]);
  });

  it('is known by whom there is to ask about what is in it', async () => {
    await tenant(1);
    await tenant(2);
    await world.attach('a', [vif('tap1', 'if-1a')]);
    await world.attach('b', [vif('tap1', 'if-1b'), vif('tap2', 'if-2a')]);
    const uuids = ['if-1a', 'nw-2', 'dp-a', 'if-none'];
    expect(await Promise.all(uuids.map((uuid) => world.vnmgr.audience(uuid)))).toEqual([['dp-a', 'dp-b'], ['dp-b'], ['dp-a'], []]);
  });

  it('gets a whole domain with its first NIC there, and loses it with the last', async () => {
    await tenant(1);
    const vna = await world.attach('a');
    expect(own(vna)).toEqual(['dp-a']);
    await vna.see([vif('tap1', 'if-1a'), vif('tap2', 'if-1b')]);
    expect(own(vna)).toEqual(['bind-if-1a', 'bind-if-1b', 'dp-a', 'if-1a', 'if-1b', 'nw-1']);
    await vna.see([vif('tap2', 'if-1b')]);
    expect(own(vna)).toEqual(['bind-if-1b', 'dp-a', 'if-1a', 'if-1b', 'nw-1']);
    await vna.see([]);
    expect(own(vna)).toEqual(['dp-a']);
  });

  it('grows when a router joins another domain, and shrinks when it leaves', async () => {
    await tenant(1);
    await tenant(2);
    const vna = await world.attach('a', [vif('tap1', 'if-1a')]);
    await world.vnmgr.execute([
      create('route_link', { uuid: 'rl-1' }),
      ...[1, 2].flatMap((n) => [
        create('interface', {
          uuid: `if-r${n}`,
          mode: 'simulated',
          enable_routing: true,
          network_uuid: `nw-${n}`,
          ipv4_address: `10.${n}.0.1`,
        }),
        create('route', {
          uuid: `r-${n}`,
          interface_uuid: `if-r${n}`,
          network_uuid: `nw-${n}`,
          route_link_uuid: 'rl-1',
          ipv4_network: `10.${n}.0.0`,
        }),
      ]),
    ]);
    expect(own(vna)).toEqual([
      'bind-if-1a',
      'dp-a',
      'if-1a',
      'if-1b',
      'if-2a',
      'if-2b',
      'if-r1',
      'if-r2',
      'nw-1',
      'nw-2',
      'r-1',
      'r-2',
      'rl-1',
    ]);
    await world.delete('route', 'r-2');
    expect(own(vna)).toEqual(['bind-if-1a', 'dp-a', 'if-1a', 'if-1b', 'if-r1', 'nw-1', 'r-1', 'rl-1']);
  });

  it('changes first where something is plugged, then where that is only heard of', async () => {
    await tenant(1);
    const nics = (n: string) => [vif('tap1', `if-1${n}`), vif('tap2', `if-2${n}`)];
    const heard: string[] = [];
    for (const [n, { messages }] of [
      ['a', await world.attach('a', nics('a'))],
      ['b', await world.attach('b', nics('b'))],
    ] as const) {
      messages.push = (...more) => {
        heard.push(n);
        return Array.prototype.push.apply(messages, more);
      };
    }
    for (const n of ['a', 'b']) await world.vnmgr.execute([vm(`if-2${n}`, 'nw-1', `10.1.0.2${n === 'a' ? 0 : 1}`)]);
    expect(heard).toEqual(['a', 'b', 'b', 'a']);
  });

  it('knows the places of peers in its domains', async () => {
    await tenant(1);
    const [a, b] = [await world.attach('a', [vif('tap1', 'if-1a')]), await world.attach('b', [vif('tap9', 'if-1b')])];
    for (const vna of [a, b])
      expect([vna.slice.get('bind-if-1a'), vna.slice.get('bind-if-1b')]).toMatchObject([
        { datapath_uuid: 'dp-a', port_name: 'tap1' },
        { datapath_uuid: 'dp-b', port_name: 'tap9' },
      ]);
  });

  it('has the groups of its interfaces and those that their rules mention, no further', async () => {
    const mentions = (security_group_uuid: string) => [{ direction: 'ingress', protocol: 'any', remote: { security_group_uuid } }];
    await world.vnmgr.execute([
      create('security_group', { uuid: 'sg-3' }),
      create('security_group', { uuid: 'sg-2', rules: mentions('sg-3') }),
      create('security_group', { uuid: 'sg-1', rules: mentions('sg-2') }),
      create('security_group', { uuid: 'sg-other' }),
      create('network', { uuid: 'nw-1', ipv4_network: '10.0.0.0' }),
      vm('if-1', 'nw-1', '10.0.0.5', { security_group_uuids: ['sg-1'] }),
      vm('if-other', 'nw-1', '10.0.0.6'),
    ]);
    const vna = await world.attach('a', [vif('tap1', 'if-1')]);
    const groups = () => vna.uuids().filter((uuid) => /^(sg|pc)-/.test(uuid));
    expect(groups()).toEqual(['pc-1', 'sg-1', 'sg-2']);
    await world.update('interface', 'if-other', { security_group_uuids: ['sg-other', 'sg-2'] });
    expect(groups()).toEqual(['pc-1', 'pc-2', 'sg-1', 'sg-2', 'sg-3', 'sg-other']);
    await world.update('security_group', 'sg-1', { rules: [] });
    await world.update('interface', 'if-other', { security_group_uuids: [] });
    expect(groups()).toEqual(['pc-1', 'sg-1']);
  });

  it('has an interface without any address where it is plugged', async () => {
    await world.create('interface', { uuid: 'if-1', mode: 'vif' });
    const vna = await world.attach('a', [vif('tap1', 'if-1')]);
    expect(own(vna)).toEqual(['bind-if-1', 'dp-a', 'if-1']);
  });

  it('comes whole and with the next seq when asked for again', async () => {
    await tenant(1);
    const vna = await world.attach('a', [vif('tap1', 'if-1a')]);
    const before = vna.uuids();
    vna.attachment.relist();
    expect(vna.messages.at(-1)).toMatchObject({ kind: 'snapshot', seq: vna.messages[0]!.seq + 1 });
    expect(vna.uuids()).toEqual(before);
    await world.update('network', 'nw-1', { display_name: 'x' });
    expect(vna.messages.at(-1)).toMatchObject({
      kind: 'delta',
      seq: vna.messages[0]!.seq + 2,
      puts: [{ uuid: 'nw-1' }],
      deletes: [],
      revision: world.vnmgr.revision(),
    });
  });
});

describe('bindings', () => {
  const bound = (vna: Vna) => vna.uuids().flatMap((uuid) => (uuid.startsWith('bind-') ? vna.slice.get(uuid)! : []));
  const conflicts = async (node: string) => (await world.vnmgr.status()).datapaths.find(({ uuid }) => uuid === `dp-${node}`)!.conflicts;

  it('go by iface-id, then by port name, where the owner allows', async () => {
    const vna = await world.attach('a', [
      vif('tap1', 'if-named'),
      vif('tap2'),
      vif('tap3', 'unknown'),
      vif('tap4'),
      vif('tap5', 'if-owned'),
      vif('tap6', 'if-sim'),
    ]);
    await world.attach('b');
    await world.vnmgr.execute([
      create('interface', { uuid: 'if-named', mode: 'vif', port_name: 'tap9' }),
      create('interface', { uuid: 'if-port', mode: 'vif', port_name: 'tap2' }),
      create('interface', { uuid: 'if-fallback', mode: 'vif', port_name: 'tap3' }),
      create('interface', { uuid: 'if-anywhere', mode: 'vif', port_name: 'tap4' }),
      create('interface', { uuid: 'if-here', mode: 'vif', port_name: 'tap4', owner_datapath_uuid: 'dp-a' }),
      create('interface', { uuid: 'if-owned', mode: 'vif', owner_datapath_uuid: 'dp-b' }),
      create('interface', { uuid: 'if-sim', mode: 'simulated' }),
    ]);
    expect(bound(vna)).toMatchObject([
      { interface_uuid: 'if-fallback', port_name: 'tap3' },
      { interface_uuid: 'if-here', port_name: 'tap4' },
      { interface_uuid: 'if-named', port_name: 'tap1' },
      { interface_uuid: 'if-port', port_name: 'tap2' },
    ]);
    await world.update('interface', 'if-owned', { owner_datapath_uuid: null });
    await world.update('interface', 'if-port', { port_name: null });
    await world.delete('interface', 'if-here');
    expect(bound(vna)).toMatchObject([
      { interface_uuid: 'if-anywhere', port_name: 'tap4' },
      { interface_uuid: 'if-fallback', port_name: 'tap3' },
      { interface_uuid: 'if-named', port_name: 'tap1' },
      { interface_uuid: 'if-owned', port_name: 'tap5' },
    ]);
  });

  it('go with the place where the NIC appeared last; the claim that stands elsewhere is named and wins nothing back', async () => {
    await world.create('interface', { uuid: 'if-1', mode: 'vif' });
    const a = await world.attach('a', [vif('tap1', 'if-1')]);
    const b = await world.attach('b', [vif('tap2', 'if-1')]);
    expect([bound(a), bound(b), await conflicts('b')]).toMatchObject([[], [{ datapath_uuid: 'dp-b' }], []]);
    expect(await conflicts('a')).toEqual(['port tap1 claims if-1, which is plugged at port tap2 of dp-b']);
    const { revision, told } = { revision: world.vnmgr.revision(), told: [a.messages.length, b.messages.length] };
    for (let again = 0; again < 3; again++)
      for (const [vna, port] of [
        [a, 'tap1'],
        [b, 'tap2'],
      ] as const)
        await vna.see([vif(port, 'if-1')]);
    a.stop.abort();
    const again = await world.attach('a', [vif('tap1', 'if-1')]);
    expect([world.vnmgr.revision(), [a.messages.length, b.messages.length], bound(again)]).toEqual([revision, told, []]);
    await b.see([]);
    expect([bound(again), bound(b), await conflicts('a')]).toMatchObject([[{ datapath_uuid: 'dp-a' }], [], []]);
  });

  it('stay with the first of two NICs of one datapath', async () => {
    await world.create('interface', { uuid: 'if-1', mode: 'vif' });
    const a = await world.attach('a', [vif('tap2', 'if-1')]);
    await a.see([vif('tap1', 'if-1'), vif('tap2', 'if-1')]);
    expect([bound(a), await conflicts('a')]).toMatchObject([
      [{ port_name: 'tap2' }],
      ['port tap1 claims if-1, which is plugged at port tap2 of dp-a'],
    ]);
    await a.see([vif('tap1', 'if-1')]);
    expect([bound(a), await conflicts('a')]).toMatchObject([[{ port_name: 'tap1' }], []]);
  });

  it('do not go where a port only has the name of one that names the interface', async () => {
    await world.create('interface', { uuid: 'if-1', mode: 'vif', port_name: 'tap1' });
    const a = await world.attach('a', [vif('tap7', 'if-1')]);
    const b = await world.attach('b', [vif('tap1')]);
    expect([bound(a), bound(b)]).toMatchObject([[{ datapath_uuid: 'dp-a' }], []]);
  });

  it('outlast their vna and vnmgr, and cost no revision when they are as they were', async () => {
    await world.create('network', { uuid: 'nw-1', ipv4_network: '10.0.0.0' });
    await world.vnmgr.execute([vm('if-1', 'nw-1', '10.0.0.5'), vm('if-2', 'nw-1', '10.0.0.6')]);
    await world.attach('a', [vif('tap1', 'if-1')]);
    world = await world.restart();
    const revision = world.vnmgr.revision();
    const b = await world.attach('b', [vif('tap2', 'if-2')]);
    expect(bound(b)).toMatchObject([{ interface_uuid: 'if-1', datapath_uuid: 'dp-a' }, { interface_uuid: 'if-2' }]);
    const a = await world.attach('a', [vif('tap1', 'if-1')]);
    expect([bound(a), world.vnmgr.revision().number]).toMatchObject([[{ port_name: 'tap1' }, { port_name: 'tap2' }], revision.number + 2]);
  });

  it('come with the revision that defines the interface of a NIC that is there', async () => {
    const a = await world.attach('a', [vif('tap1', 'if-1')]);
    const { number } = world.vnmgr.revision();
    await world.create('interface', { uuid: 'if-1', mode: 'vif' });
    expect(a.messages.slice(1)).toMatchObject([{ kind: 'delta', revision: { number: number + 1 } }]);
    expect(bound(a)).toMatchObject([{ interface_uuid: 'if-1' }]);
  });

  it('are committed together when several reports wait', async () => {
    const a = await world.attach('a');
    const { number } = world.vnmgr.revision();
    for (const port of ['tap1', 'tap2', 'tap3']) a.attachment.reportVifs([vif(port, 'if-1')]);
    await world.vnmgr.execute([]);
    expect(world.vnmgr.revision().number).toBe(number + 1);
    await world.create('interface', { uuid: 'if-1', mode: 'vif' });
    expect(bound(a)).toMatchObject([{ port_name: 'tap3' }]);
  });

  it('go with their datapath, and are reported anew when it is defined again', async () => {
    await tenant(1);
    const a = await world.attach('a', [vif('tap1', 'if-1a')]);
    const b = await world.attach('b', [vif('tap1', 'if-1b')]);
    const places = () => b.uuids().filter((uuid) => /^(bind|ch)-/.test(uuid));
    await world.vnmgr.execute([
      { verb: 'delete', kind: 'datapath', uuid: 'dp-a' },
      create('datapath', { uuid: 'dp-a', display_name: 'again', node_id: 'a', dpid: '0x13a' }),
    ]);
    await world.vnmgr.execute([]);
    expect([places(), bound(a)]).toMatchObject([
      ['bind-if-1a', 'bind-if-1b', 'ch-dp-a', 'ch-dp-b'],
      [{ port_name: 'tap1' }, {}],
    ]);
    await world.delete('datapath', 'dp-a');
    expect(places()).toEqual(['bind-if-1b', 'ch-dp-b']);
  });
});

describe('the chassis', () => {
  const at = (address: string): ChassisFacts => ({
    endpoints: [{ address, mac: null, underlay: 'underlay', mtu: 1500 }],
    encaps: ['geneve'],
    underlay: null,
  });
  const chassis = (vna: Vna) => vna.uuids().flatMap((uuid) => (uuid.startsWith('ch-') ? vna.slice.get(uuid)! : []));

  it('of a datapath is known to those that share a domain with it, as long as they do', async () => {
    await tenant(1);
    await tenant(2);
    const a = await world.attach('a', [vif('tap1', 'if-1a')], at('192.0.2.1'));
    const b = await world.attach('b', [vif('tap1', 'if-1b')], at('192.0.2.2'));
    const c = await world.attach('c', [vif('tap1', 'if-2a')], at('2001:DB8::3'));
    expect([a, b, c].map(chassis)).toMatchObject([
      [{ datapath_uuid: 'dp-a' }, { datapath_uuid: 'dp-b', node_id: 'b', ...at('192.0.2.2') }],
      [{ datapath_uuid: 'dp-a' }, { datapath_uuid: 'dp-b' }],
      [{ datapath_uuid: 'dp-c', ...at('2001:db8::3') }],
    ]);
    const told = c.messages.length;
    b.attachment.reportChassis(at('192.0.2.22'));
    await world.vnmgr.execute([]);
    expect([chassis(a)[1], c.messages.length]).toMatchObject([at('192.0.2.22'), told]);
    await b.see([vif('tap1', 'if-2b')]);
    expect([a, b, c].map((vna) => chassis(vna).map(({ uuid }) => uuid))).toEqual([
      ['ch-dp-a'],
      ['ch-dp-b', 'ch-dp-c'],
      ['ch-dp-b', 'ch-dp-c'],
    ]);
    await world.delete('datapath', 'dp-b');
    expect(chassis(c).map(({ uuid }) => uuid)).toEqual(['ch-dp-c']);
  });

  it('that makes no sense is refused', async () => {
    for (const facts of [at('192.0.2'), { ...at('192.0.2.1'), encaps: ['stt'] } as unknown as ChassisFacts])
      expect((await refused(world.attach('a', [], facts))).code).toBe('invalid_argument');
    expect((await refused(world.attach('a', [vif('')]))).code).toBe('invalid_argument');
  });
});

describe('attaching', () => {
  it('registers a datapath under its node id, and finds it again by dpid', async () => {
    const vna = await world.attach('Rack1/Host_7.example');
    await refused(world.attach('Rack1/Host_7.example'));
    expect(vna.attachment.datapath_uuid).toBe('dp-rack1-host-7-example');
    vna.stop.abort();
    await vna.attachment.closed;
    const revision = world.vnmgr.revision();
    expect((await world.attach('Rack1/Host_7.example')).attachment.datapath_uuid).toBe('dp-rack1-host-7-example');
    expect(world.vnmgr.revision()).toEqual(revision);
  });

  it('waits for the definition when registration is off', async () => {
    world = await World.start({ autoRegister: false });
    let done = false;
    const attaching = world.attach('a').then((vna) => ((done = true), vna));
    await world.create('datapath', { display_name: 'other', node_id: 'other', dpid: '0x99' });
    expect(done).toBe(false);
    await world.create('datapath', { uuid: 'dp-late', display_name: 'late', node_id: 'a', dpid: '0x13a' });
    expect((await attaching).attachment.datapath_uuid).toBe('dp-late');
  });

  it('stops waiting with its signal', async () => {
    world = await World.start({ autoRegister: false });
    const stop = new AbortController();
    const attaching = world.vnmgr.attach({ node_id: 'a', dpid: '0x00000000000000aa', bridge: 'br0', vifs: [] }, () => {}, stop.signal);
    stop.abort(new Error('enough'));
    await expect(attaching).rejects.toThrow('enough');
  });

  it('ends when the datapath is deleted, and its peers are told', async () => {
    await tenant(1);
    const [a, b] = [await world.attach('a', [vif('tap1', 'if-1a')]), await world.attach('b', [vif('tap1', 'if-1b')])];
    await world.delete('datapath', 'dp-a');
    await a.attachment.closed;
    expect(b.uuids()).not.toContain('bind-if-1a');
    await a.see([vif('tap2', 'if-1b')]);
    expect((await world.attach('a', [vif('tap1', 'if-1a')])).uuids()).toContain('bind-if-1a');
    expect(b.uuids()).toContain('bind-if-1a');
  });

  it('lets flows be asked for', async () => {
    expect((await refused(world.vnmgr.flows('dp-a'))).code).toBe('unknown_uuid');
    const vna = await world.attach('a');
    expect((await refused(world.vnmgr.flows('dp-a'))).code).toBe('unavailable');
    vna.attachment.serveFlows((owner) =>
      Promise.resolve([{ table: 0, table_name: 'X', priority: 1, text: '', cookie: '0x0', owners: [owner ?? 'all'], rule: 'r' }]),
    );
    expect(await world.vnmgr.flows('dp-a', 'if-1')).toMatchObject([{ owners: ['if-1'] }]);
    vna.stop.abort();
    expect((await refused(world.vnmgr.flows('dp-a'))).code).toBe('unavailable');
  });
});
