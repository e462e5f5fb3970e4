import { INPUTS } from '../../../flows/model/inputs.js';
import { KINDS, type UserKind } from '../../../flows/model/entities.js';
import { FakeVna } from '../fake-vna.js';
import { Bench } from './run.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.server.stop(0));

describe('vnctl', () => {
  it('adds, shows, modifies and deletes with the options of OpenVNet', async () => {
    await bench.ok('networks add --uuid nw-a --ipv4_network 10.0.0.0 --ipv4_prefix 24 --display_name blue');
    await bench.ok('networks add --uuid nw-b --ipv6-network 2001:db8:: --ipv6_slaac');
    expect(await bench.ok('networks show')).toMatch(/^UUID +DISPLAY_NAME.*\nnw-a +blue .*\nnw-b .*\n$/);
    await bench.ok('networks modify nw-a --mtu 1400 --dns_servers 10.0.0.2,10.0.0.3');
    expect(JSON.parse(await bench.ok('networks show nw-a -o json'))).toMatchObject({
      uuid: 'nw-a',
      display_name: 'blue',
      mtu: 1400,
      dns_servers: ['10.0.0.2', '10.0.0.3'],
    });
    expect(await bench.ok('-o yaml networks show nw-a nw-b')).toMatch(/^- uuid: nw-a\n(.*\n)*- uuid: nw-b\n/);
    expect(await bench.ok('networks del nw-a nw-b')).toBe('nw-a\nnw-b\n');
    expect(await bench.ok('networks show')).toBe('no networks\n');
  });

  it('shows what belongs to an entity in a line each', async () => {
    await bench.ok('networks add --uuid nw-a --ipv4_network 10.0.0.0 --ipv6_network fd00::');
    await bench.ok(
      'interfaces add --uuid if-a --mode vif --network_uuid nw-a --ipv4_address 10.0.0.5 --ipv6_address fd00::5 --mac_address 02:00:00:00:00:05',
    );
    const shown = await bench.ok('interfaces show if-a');
    expect(shown.replaceAll(/uuid=(ml|il)-\w+/g, 'uuid=$1')).toContain(`
mac_leases                uuid=ml interface_uuid=if-a mac_address=02:00:00:00:00:05
ip_leases                 `);
    expect(shown.match(/ipv[46]_address=\S+/g)!.sort()).toEqual(['ipv4_address=10.0.0.5', 'ipv6_address=fd00::5']);
  });

  it('connects datapaths and places interfaces as OpenVNet does', async () => {
    for (const n of [1, 2]) await bench.ok(`datapaths add --uuid dp-${n} --display_name x --dpid 0x${n} --node_id vna${n}`);
    for (const n of [1, 2]) await bench.ok(`networks add --uuid nw-${n} --ipv4_network 10.0.${n}.0`);
    await bench.ok('interfaces add --uuid if-h --mode host --owner_datapath_uuid dp-1 --port_name eth0');
    const added = await bench.ok('datapaths networks add dp-1 nw-1 --interface_uuid if-h --mac_address 02:00:00:aa:00:01 -o json');
    expect(JSON.parse(added)).toMatchObject({ datapath_uuid: 'dp-1', network_uuid: 'nw-1', mac_address: '02:00:00:aa:00:01' });
    await bench.ok('datapaths networks add dp-1 nw-2 --interface_uuid if-h');
    expect(await bench.ok('datapaths networks show dp-1')).toMatch(/^UUID .*\nnw-1 .*\nnw-2 .*\n$/);
    expect(await bench.ok('datapaths networks show dp-2')).toBe('no networks\n');
    expect(await bench.ok('datapaths networks del dp-1 nw-1 nw-2')).toBe('nw-1\nnw-2\n');

    await bench.ok('interfaces ports add if-h --datapath_uuid dp-2 --port_name eth1 --singular');
    expect(await bench.ok('interfaces ports show if-h')).toMatch(/dp-1 +eth0 .*\n.*dp-2 +eth1 .*\n$/);
    await bench.ok('interfaces ports del if-h --datapath_uuid dp-2');
    expect(await bench.ok('interfaces ports show if-h --limit 5')).not.toContain('dp-2');
  });

  it('takes flags with and without a value', async () => {
    const slaac = async () => JSON.parse(await bench.ok('networks show nw-a -o json')).ipv6_slaac;
    await bench.ok('networks add --uuid nw-a --ipv6_network 2001:db8:: --ipv6_slaac --ipv6_prefix 64');
    expect(await slaac()).toBe(true);
    await bench.ok('networks modify --no-ipv6_slaac nw-a');
    expect(await slaac()).toBe(false);
    await bench.ok('networks modify --ipv6_slaac nw-a');
    expect(await slaac()).toBe(true);
    await bench.ok('networks modify nw-a --ipv6_slaac=f');
    expect(await slaac()).toBe(false);
    await bench.ok('networks modify nw-a --ipv6-slaac true');
    expect(await slaac()).toBe(true);
  });

  it('pages through a long list', async () => {
    for (const i of [1, 2, 3]) await bench.ok(`segments add --uuid seg-${i} --mode virtual`);
    expect(await bench.ok('segments show --limit 2')).toMatch(/seg-1 .*\nseg-2 .*\n1 to 2 of 3 shown; --offset and --limit choose\n$/);
    expect(await bench.ok('segments show --limit 2 --offset 2')).toMatch(/seg-3 .*\n3 to 3 of 3 shown/);
    expect(JSON.parse(await bench.ok('segments show --limit 1 -o json'))).toMatchObject({ total_count: 3, limit: 1 });
  });

  it('has every parameter of the API as an option, with help', async () => {
    for (const kind of Object.keys(KINDS) as UserKind[])
      for (const [verb, schema] of [
        ['add', INPUTS[kind].create],
        ['modify', INPUTS[kind].update],
      ] as const) {
        const help = await bench.ok(`${KINDS[kind].collection} ${verb} --help`);
        for (const name of Object.keys(schema.shape)) expect(help).toContain(` --${name} `);
      }
  });

  it('says every reason on a line of its own, and exits with 1', async () => {
    const { code, out, err } = await bench.run('networks add --ipv4_network 10.0.0.0 --dns_servers 10.0.0.x --mtu 1 --ipv6_slaac=perhaps');
    expect([code, out, err.split('\n').map((line) => line.split(' ').slice(0, 2).join(' '))]).toEqual([
      1,
      '',
      ['vnctl: ipv6_slaac:', 'vnctl: mtu:', 'vnctl: dns_servers.0:', ''],
    ]);
  });

  it.each([
    ['networks show nw-none', 1, 'vnctl: there is no network nw-none\n'],
    ['networks del nw-none', 1, 'vnctl: there is no network nw-none\n'],
    ['networks del nw-none nw-nil', 1, expect.stringMatching(/nw-none\n.*nw-nil\n/)],
    ['networks show if-a', 1, expect.stringMatching(/^vnctl: network: the uuid must be nw-/)],
    ['networks add --colour red', 64, "error: unknown option '--colour'\n(--help explains)\n"],
    ['networks modify', 64, "error: missing required argument 'uuid'\n(--help explains)\n"],
    ['frobnicate', 64, "error: unknown command 'frobnicate'\n(--help explains)\n"],
    ['status -o xml', 64, expect.stringContaining('table, json, yaml')],
    ['--timeout soon status', 64, 'vnctl: --timeout: must be seconds, at most 300\n'],
    ['--server ftp://[ status', 64, expect.stringMatching(/^vnctl: --server: must be HOST:PORT or a URL/)],
    ['--server 127.0.0.1:1 status', 1, expect.stringMatching(/^vnctl: cannot reach http:\/\/127\.0\.0\.1:1: nothing listens there/)],
    ['apply -f none.yaml', 1, 'vnctl: none.yaml: there is no such file\n'],
  ])('%s exits with %i', async (line, code, err) => {
    expect(await bench.run(line)).toEqual({ code, out: '', err });
  });

  it('exits with 3 when a wait times out', async () => {
    await bench.ok('networks add --uuid nw-a --ipv4_network 10.0.0.0');
    await bench.ok('interfaces add --uuid if-a --mode vif --network_uuid nw-a --ipv4_address 10.0.0.5');
    const vifs = [{ port_name: 'tap-a', iface_id: 'if-a' }];
    const vna = await FakeVna.attach(
      bench.controller,
      { node_id: 'hv1', dpid: '0x0000000000000001', bridge: 'br-int', vifs },
      () => 'hangs',
    );
    const { code, out, err } = await bench.run('--wait --timeout 0.05 networks modify nw-a --mtu 1400');
    expect([code, out, err]).toEqual([3, '', `vnctl: revision 5 is committed, but not yet installed on ${vna.uuid}\n`]);
  });

  it('shows the status', async () => {
    expect(await bench.ok('status')).toMatch(/^hotori \S+, revision 0\nno datapaths\n$/);
    await bench.ok('datapaths add --uuid dp-a --dpid 1 --node_id hv1 --display_name hv1');
    expect(await bench.ok('status')).toMatch(/^hotori \S+, revision 1\nUUID +CONNECTED +DESIRED_REVISION.*\ndp-a +no /);
    expect(JSON.parse(await bench.ok('status -o json'))).toMatchObject({ revision: 1, datapaths: [{ uuid: 'dp-a', connected: false }] });
  });

  it('shows the flows of a datapath with what they come from', async () => {
    const vna = await FakeVna.attach(
      bench.controller,
      { node_id: 'hv1', dpid: '0x0000000000000001', bridge: 'br-int', vifs: [] },
      () => 'applies',
    );
    const text = 'cookie=0x4801000000000001, table=10, priority=100,in_port=1 actions=drop';
    const flow = {
      table: 10,
      table_name: 'L2_IN',
      priority: 100,
      text,
      cookie: '0x4801000000000001',
      owners: ['if-a', 'nw-a'],
      rule: 'port',
    };
    vna.attachment.serveFlows((owner) => Promise.resolve(owner === 'if-b' ? [] : [flow]));
    expect(await bench.ok(`flows ${vna.uuid}`)).toBe('10(L2_IN) priority=100,in_port=1 actions=drop  # port if-a nw-a\n');
    expect(await bench.ok(`flows ${vna.uuid} --owner if-b`)).toBe('');
    expect(JSON.parse(await bench.ok(`flows ${vna.uuid} -o json`))).toEqual({ total_count: 1, items: [flow] });
  });

  it('has a slice accepted that is held back', async () => {
    const vna = await FakeVna.attach(
      bench.controller,
      { node_id: 'hv1', dpid: '0x0000000000000001', bridge: 'br-int', vifs: [] },
      () => 'applies',
    );
    const held = [true, true];
    vna.attachment.serveAcceptance(() => Promise.resolve(held.pop() ?? false));
    const outs = [];
    for (const options of ['', '-o json ', '--wait ']) outs.push(await bench.ok(`${options}datapaths accept-slice ${vna.uuid}`));
    expect([outs[0], JSON.parse(outs[1]!), outs[2]]).toEqual(['accepted\n', { accepted: true }, 'nothing is held back\n']);
    expect(await bench.run('datapaths accept-slice dp-none')).toMatchObject({ code: 1, out: '' });
  });

  it('prints its version and help on standard output', async () => {
    expect(await bench.ok('--version')).toBe('1.2.3\n');
    expect(await bench.ok('--help')).toMatch(/^Usage: vnctl /);
  });
});

describe('vnctl of', () => {
  it('prints messages, and round-trips them line by line', async () => {
    const barrier = '0414000800000001';
    expect(await bench.ok(`of print ${barrier}`)).toMatch(/^OFPT_BARRIER_REQUEST .*\n$/);
    expect(await bench.ok('of roundtrip --stdin', `${barrier}\n\nzz\n`)).toMatch(/^0414000800000001\nerror: .*\nerror: .*\n$/);
    expect(await bench.run('of print')).toEqual({ code: 64, out: '', err: 'vnctl: give messages in hex, or --stdin\n' });
  });
});

describe('vnctl batch', () => {
  it('runs the commands of a file, and of standard input', async () => {
    bench.files['setup'] =
      '# a network\nnetworks add --uuid nw-a --display_name \'my "net"\' --ipv4_network 10.0.0.0 # blue\n\nvnctl segments add --uuid seg-a --mode virtual\n';
    const { code, err } = await bench.run('batch setup');
    expect([code, err.split('\n').filter((line) => line.startsWith('> ')).length]).toEqual([0, 2]);
    expect(bench.controller.get('network', 'nw-a')?.view).toMatchObject({ display_name: 'my "net"' });
    expect((await bench.run('batch', 'networks del nw-a')).code).toBe(0);
    expect(bench.controller.get('network', 'nw-a')).toBeUndefined();
  });

  it('stops at the first command that fails, and names its line', async () => {
    bench.files['setup'] = 'segments add --uuid seg-a --mode virtual\nsegments del seg-b\nsegments del seg-a\n';
    const { code, err } = await bench.run('batch setup');
    expect([code, err.split('\n').at(-2)]).toEqual([1, 'vnctl: setup:2: failed; what follows was not run']);
    expect(bench.controller.get('segment', 'seg-a')).toBeDefined();
  });

  it('runs nothing when a line cannot be read', async () => {
    bench.files['setup'] = "segments add --uuid seg-a --mode virtual\nsegments add --display_name 'x\nbatch other\n";
    expect(await bench.run('batch setup')).toEqual({
      code: 64,
      out: '',
      err: 'vnctl: setup:2: a quote is not closed\nvnctl: setup:3: batch cannot stand in a batch\n',
    });
    expect(bench.controller.revision().number).toBe(0);
  });
});
