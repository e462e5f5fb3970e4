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

const own = (vna: Vna) => vna.uuids().filter((uuid) => !/^(ml|il)-/.test(uuid));

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

  it('gets a whole domain with its first NIC there, and loses it with the last', async () => {
    await tenant(1);
    const vna = await world.attach('a');
    expect(own(vna)).toEqual(['dp-a']);
    vna.attachment.reportVifs([vif('tap1', 'if-1a'), vif('tap2', 'if-1b')]);
    expect(own(vna)).toEqual(['bind-if-1a', 'bind-if-1b', 'dp-a', 'if-1a', 'if-1b', 'nw-1']);
    vna.attachment.reportVifs([vif('tap2', 'if-1b')]);
    expect(own(vna)).toEqual(['bind-if-1b', 'dp-a', 'if-1a', 'if-1b', 'nw-1']);
    vna.attachment.reportVifs([]);
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
  const lastError = (node: string) => world.vnmgr.status().datapaths.find(({ uuid }) => uuid === `dp-${node}`)!.last_error;

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

  it('stay with the first of two claimants, and name the second', async () => {
    await world.create('interface', { uuid: 'if-1', mode: 'vif' });
    const a = await world.attach('a', [vif('tap1', 'if-1')]);
    const b = await world.attach('b', [vif('tap2', 'if-1')]);
    for (let again = 0; again < 3; again++)
      for (const [vna, port] of [
        [b, 'tap2'],
        [a, 'tap1'],
      ] as const)
        vna.attachment.reportVifs([vif(port, 'if-1')]);
    expect([bound(a), bound(b), lastError('a')]).toMatchObject([[{ datapath_uuid: 'dp-a' }], [], null]);
    expect(lastError('b')).toBe('port tap2 claims if-1, which is plugged at port tap1 of dp-a');
    expect([a.messages.length, b.messages.length]).toEqual([1, 1]);
    a.attachment.reportVifs([]);
    expect([bound(a), bound(b), lastError('b')]).toMatchObject([[], [{ datapath_uuid: 'dp-b' }], null]);
  });

  it('outlast their vna, but give way to a place whose vna is there', async () => {
    await world.create('network', { uuid: 'nw-1', ipv4_network: '10.0.0.0' });
    await world.vnmgr.execute([vm('if-1', 'nw-1', '10.0.0.5'), vm('if-2', 'nw-1', '10.0.0.6')]);
    const a = await world.attach('a', [vif('tap1', 'if-1')]);
    const b = await world.attach('b', [vif('tap2', 'if-2')]);
    a.stop.abort();
    expect(bound(b)).toMatchObject([{ interface_uuid: 'if-1', datapath_uuid: 'dp-a' }, { interface_uuid: 'if-2' }]);
    b.attachment.reportVifs([vif('tap2', 'if-2'), vif('tap3', 'if-1')]);
    expect(bound(b)).toMatchObject([{ interface_uuid: 'if-1', datapath_uuid: 'dp-b' }, { interface_uuid: 'if-2' }]);
    const again = await world.attach('a', [vif('tap1', 'if-1')]);
    expect(bound(again)).toEqual([]);
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
    a.attachment.reportVifs([vif('tap2', 'if-1b')]);
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
