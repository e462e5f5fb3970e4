import { eventually } from '../lab/eventually.js';
import { pingVerdict, Prober } from '../lab/probes.js';
import type { Vm } from '../lab/vm.js';
import { World } from './world.js';

/** OpenVNet's filter scenario: vm1 to vm5 are filtered, vm6 is not; `ssh` is TCP 22, `udp` is UDP 1344. */
const ARP = 'protocol=arp&action=pass';
const DHCP = 'protocol=udp&action=pass&src_port=67&dst_port=68';
const ROWS: Record<string, readonly string[]> = {
  vm1: [ARP, 'protocol=tcp&action=pass', 'protocol=udp&action=pass', 'protocol=icmp&action=pass'],
  vm2: [DHCP],
  vm3: [
    ARP,
    'protocol=tcp&action=pass&src_address=10.1.0.10/32',
    'protocol=icmp&action=pass&src_address=10.1.0.10',
    'protocol=udp&action=pass&src_address=10.1.0.13/32&dst_port=1344',
  ],
  vm4: [ARP, DHCP, 'protocol=ip&action=pass&src_address=10.1.0.10/32'],
  vm5: [ARP, 'protocol=ip&action=conn'],
  vm6: [],
};
const SSH = 22;
const UDP = 1344;

describe('filters', () => {
  let world: World;
  const vms: Record<string, Vm> = {};
  const probers: Record<string, Prober> = {};
  const names = Object.keys(ROWS);
  const ip = (name: string) => `10.1.0.${9 + Number(name.slice(2))}`;

  beforeAll(async () => {
    world = await World.start();
    await world.defineNetworks();
    const added = await world.addVms(...names.map((name, n) => ({ name, network: 'a' as const, host: 10 + n })));
    for (const [n, name] of names.entries()) vms[name] = added[n]!;
    for (const name of names) probers[name] = await Prober.start(vms[name]!, world.lab.dir, [SSH, UDP]);
    // As OpenVNet's vnctl asks: everything in the query.
    for (const name of names.slice(0, 5)) {
      await world.hotori.post(`/filters?uuid=fil-${name}&interface_uuid=if-${name}&mode=static`, undefined);
      for (const row of ROWS[name]!) await world.hotori.post(`/filters/fil-${name}/static?${row}`, undefined);
      await world.hotori.put(`/interfaces/if-${name}?enable_filtering=true&wait=installed`, undefined);
    }
  }, 90_000);
  afterAll(() => world.destroy(), 60_000);

  /** `ssh udp ping` from one to the other, `+` or `.` each. */
  async function reach(from: string, to: string): Promise<string> {
    const [direct, ping] = await Promise.all([
      probers[from]!.probe([
        { protocol: 'tcp', dst: ip(to), port: SSH },
        { protocol: 'udp', dst: ip(to), port: UDP },
      ]),
      pingVerdict(vms[from]!, ip(to)),
    ]);
    return [...direct, ping].map((outcome) => (outcome === 'allow' ? '+' : '.')).join('');
  }

  it('let through what the scenario of OpenVNet lets through, and no more', async () => {
    const pairs = {
      'vm1 to vm6': ['vm1', 'vm6'],
      'vm6 to vm1': ['vm6', 'vm1'],
      'vm2 to vm6': ['vm2', 'vm6'],
      'vm6 to vm2': ['vm6', 'vm2'],
      'vm1 to vm3': ['vm1', 'vm3'],
      'vm3 to vm1': ['vm3', 'vm1'],
      'vm6 to vm3': ['vm6', 'vm3'],
      'vm3 to vm6': ['vm3', 'vm6'],
      'vm1 to vm4': ['vm1', 'vm4'],
      'vm4 to vm1': ['vm4', 'vm1'],
      'vm6 to vm4': ['vm6', 'vm4'],
      'vm4 to vm6': ['vm4', 'vm6'],
      'vm5 to vm6': ['vm5', 'vm6'],
      'vm6 to vm5': ['vm6', 'vm5'],
    } as const;
    const seen = await Promise.all(Object.entries(pairs).map(async ([name, [from, to]]) => [name, await reach(from, to)] as const));
    expect(Object.fromEntries(seen)).toEqual({
      'vm1 to vm6': '+++',
      'vm6 to vm1': '+++',
      'vm2 to vm6': '...',
      'vm6 to vm2': '...',
      'vm1 to vm3': '+.+',
      'vm3 to vm1': '+.+',
      'vm6 to vm3': '...',
      'vm3 to vm6': '...',
      'vm1 to vm4': '+++',
      'vm4 to vm1': '+++',
      'vm6 to vm4': '...',
      'vm4 to vm6': '...',
      'vm5 to vm6': '+++',
      'vm6 to vm5': '...',
    });
  }, 60_000);

  it('hear DHCP where a row lets it out', async () => {
    await vms['vm2']!.dhclient.start();
    await eventually('the address from DHCP', async () =>
      (await vms['vm2']!.addresses()).some((address) => address.startsWith('10.1.0.11/')),
    );
    await vms['vm2']!.dhclient.stop();
  }, 30_000);

  it('are switched on and off at run time, with their rows and passthroughs', async () => {
    const set = async (path: string) => {
      await world.hotori.put(`${path}${path.includes('?') ? '&' : '?'}wait=installed`, undefined);
      await world.revalidated();
    };
    await set('/interfaces/if-vm2?enable_filtering=false');
    const off = [await reach('vm6', 'vm2'), await reach('vm2', 'vm6')];
    await set('/interfaces/if-vm2?enable_filtering=true');
    const on = [await reach('vm6', 'vm2'), await reach('vm2', 'vm6')];
    await set('/filters/fil-vm2?ingress_passthrough=true&egress_passthrough=true');
    const through = [await reach('vm6', 'vm2'), await reach('vm2', 'vm6')];
    await world.hotori.post('/filters/fil-vm2/static?wait=installed&protocol=tcp&action=drop&dst_port=22', undefined);
    await world.revalidated();
    const dropping = [await reach('vm6', 'vm2'), await reach('vm2', 'vm6')];
    await world.hotori.request('DELETE', '/filters/fil-vm2/static?wait=installed&protocol=tcp&dst_port=22');
    await world.revalidated();
    const again = await reach('vm6', 'vm2');
    const missing = await world.hotori.request('DELETE', '/filters/fil-vm2/static?protocol=tcp&dst_port=22');
    expect({ off, on, through, dropping, again, missing: missing.status }).toEqual({
      off: ['+++', '+++'],
      on: ['...', '...'],
      through: ['+++', '+++'],
      dropping: ['.++', '+++'],
      again: '+++',
      missing: 404,
    });
  }, 60_000);

  it('stop a connection when its conn row goes', async () => {
    await probers['vm5']!.startStream('conn', ip('vm6'), UDP, 5);
    const count = async () => (await probers['vm6']!.received({ reset: true }))[`${ip('vm5')}/${UDP}`]?.count ?? 0;
    await eventually('the stream flowing', async () => (await count()) > 0);
    await world.hotori.request('DELETE', '/filters/fil-vm5/static?wait=installed&protocol=ip');
    await new Promise((resolve) => setTimeout(resolve, 200));
    await count();
    await new Promise((resolve) => setTimeout(resolve, 400));
    const stopped = await count();
    await world.hotori.post('/filters/fil-vm5/static?wait=installed&protocol=ip&action=conn', undefined);
    await eventually('the stream flowing again', async () => (await count()) > 0);
    await probers['vm5']!.stopStream('conn');
    expect(stopped).toBe(0);
  }, 30_000);

  it('and groups have to agree', async () => {
    await world.hotori.post('/security_groups', {
      uuid: 'sg-udp',
      rules: [
        { direction: 'egress', protocol: 'udp', remote: { any: true } },
        { uuid: 'sgr-in', direction: 'ingress', protocol: 'any', remote: { any: true }, log: { rate: 5 } },
        { uuid: 'sgr-ssh', direction: 'egress', protocol: 'tcp', ports: ['22'], remote: { any: true }, action: 'drop', log: { rate: 5 } },
      ],
    });
    await world.hotori.put('/interfaces/if-vm5?wait=installed', { security_group_uuids: ['sg-udp'] });
    await world.revalidated();
    const agreed = [await reach('vm5', 'vm6'), await reach('vm6', 'vm5')];
    const statistics = await world.hotori.get('/security_groups/sg-udp/statistics');
    const drops = (await world.hotori.get('/interfaces/if-vm5/statistics')).drops as { reason: string; packets: number }[];
    const dropped = (reason: string) => (drops.find((one) => one.reason === reason)?.packets ?? 0) > 0;
    const lines = world.hotori
      .log()
      .split('\n')
      .filter((line) => line.includes('sgr-ssh'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const metrics = await (await fetch(new URL('/metrics', world.hotori.url))).text();
    const byRule = Object.fromEntries(
      (statistics.rules as { uuid: string; packets: number; connections: number }[]).map((rule) => [rule.uuid, rule]),
    );
    expect({
      agreed,
      ssh: (byRule['sgr-ssh']?.packets ?? 0) > 0,
      connections: Object.values(byRule).map(({ connections }) => connections > 0),
      dropped: [dropped('egress_rule'), dropped('egress_policy'), dropped('ingress_filter')],
      metric: /^hotori_vna_dropped_packets_total\{bridge="br-int",reason="ingress_filter"\} [1-9]/m.test(metrics),
      line: lines[0],
    }).toEqual({
      agreed: ['.+.', '...'],
      ssh: true,
      // Nothing came in past the filter; ssh is dropped.
      connections: [true, true, false],
      dropped: [true, true, true],
      metric: true,
      line: expect.objectContaining({
        verdict: 'dropped',
        direction: 'egress',
        rule: 'sgr-ssh',
        security_group: 'sg-udp',
        interface: 'if-vm5',
        protocol: 'tcp',
        src: '10.1.0.14',
        dst: '10.1.0.15',
        dst_port: 22,
      }),
    });
  }, 60_000);
});
