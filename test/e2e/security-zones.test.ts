import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from '../lab/eventually.js';
import { Prober } from '../lab/probes.js';
import type { Vm } from '../lab/vm.js';
import { post, World } from './world.js';

const any = { any: true };

/** What the switch was told, from its own log: commits of bundles, barriers, and zones to empty. */
type Told = 'commit' | 'barrier' | `flush ${number}`;

/** client: without groups. server, other: in a group that admits udp 80. */
describe('conntrack zones', () => {
  let world: World;
  let other: Vm;
  let fromClient: Prober;
  let read = 0;

  beforeAll(async () => {
    world = await World.start();
    await world.defineNetworks();
    const rules = [{ uuid: 'sgr-udp', direction: 'ingress', protocol: 'udp', ports: ['80'], remote: any }];
    await world.hotori.post('/batch', { operations: [post('security_groups', { uuid: 'sg-server', rules })] });
    const vms = await world.addVms(
      { name: 'client', network: 'a', host: 10 },
      { name: 'server', network: 'b', host: 11, groups: ['sg-server'] },
      { name: 'other', network: 'a', host: 12, groups: ['sg-server'] },
    );
    other = vms[2]!;
    [fromClient] = (await Promise.all(vms.map((vm) => Prober.start(vm, world.lab.dir, [80])))) as [Prober];
    await world.hypervisor.ovs.appctl('vlog/set', 'vconn:file:dbg');
    await told();
  }, 60_000);
  afterAll(() => world.destroy(), 60_000);

  /** Since it was last asked. */
  async function told(): Promise<Told[]> {
    const log = await readFile(path.join(world.hypervisor.ovs.dir, 'ovs-vswitchd.log'), 'utf8');
    const lines = log
      .slice(read)
      .matchAll(/received: (OFPT_BARRIER_REQUEST|NXT_CT_FLUSH_ZONE|ONFT?_BUNDLE_CONTROL|OFPT_BUNDLE_CONTROL)[^\n]*(?:\n [^\n]*)*/g);
    const messages = [...lines].flatMap(([text, kind]): Told[] => {
      if (kind === 'OFPT_BARRIER_REQUEST') return ['barrier'];
      if (kind === 'NXT_CT_FLUSH_ZONE') return [`flush ${Number(/zone_id=(\S+)/.exec(text)![1])}`];
      return text.includes('COMMIT_REQUEST') ? ['commit'] : [];
    });
    read = log.length;
    return messages;
  }

  const flushed = (messages: readonly Told[]): number[] =>
    messages.flatMap((message) => (message.startsWith('flush ') ? [Number(message.slice(6))] : []));

  const zoneOf = async (name: string): Promise<number> =>
    Number((await world.hypervisor.ovs.vsctl('--bare', 'get', 'Interface', name, 'external_ids:hotori-ct-zone')).replaceAll('"', ''));

  const entries = async (zone: number): Promise<number> =>
    (await world.hypervisor.ovs.appctl('dpctl/dump-conntrack', `zone=${zone}`)).split('\n').filter((line) => line.includes('src=')).length;

  it('are left alone by what changes rules and members, and by a restart', async () => {
    const zones = [await zoneOf('server'), await zoneOf('other')];
    await fromClient.probe([
      { protocol: 'udp', dst: '10.2.0.11', port: 80 },
      { protocol: 'udp', dst: '10.1.0.12', port: 80 },
    ]);
    const before = await Promise.all(zones.map(entries));
    await told();
    await world.hotori.request('PUT', '/interfaces/if-other?wait=installed', { security_group_uuids: [] });
    await world.hotori.request('PUT', '/interfaces/if-other?wait=installed', { security_group_uuids: ['sg-server'] });
    await world.hotori.restart();
    await world.hotori.untilInstalled();
    const after = await Promise.all(zones.map(entries));
    expect({ flushed: flushed(await told()), differ: zones[0] !== zones[1], kept: after.map((n, i) => n > 0 && n === before[i]) }).toEqual({
      flushed: [],
      differ: true,
      kept: [true, true],
    });
  }, 30_000);

  it('are emptied once when a NIC is gone, after its flows and a barrier, and once before it is back, and nobody else is touched', async () => {
    const [server, old] = [await zoneOf('server'), await zoneOf('other')];
    await told();
    await other.unplug();
    const gone: Told[] = [];
    await eventually('the zone being emptied', async () => {
      gone.push(...(await told()));
      return flushed(gone).length > 0 && gone.at(-1) === 'barrier';
    });
    await other.plug('if-other');
    await world.untilPlugged('other');
    const back = await told();
    const fresh = await zoneOf('other');
    expect({
      gone: gone.slice(gone.indexOf('commit')),
      back: back.filter((message) => message !== 'barrier'),
      empty: (await entries(fresh)) === 0,
      kept: (await entries(server)) > 0,
    }).toEqual({
      gone: ['commit', 'barrier', `flush ${old}`, 'barrier'],
      back: [`flush ${fresh}`, 'commit'],
      empty: true,
      kept: true,
    });
  }, 30_000);

  it('are emptied once when the interface of a NIC is deleted, and once before the next interface has it', async () => {
    const zone = await zoneOf('other');
    await told();
    await world.hotori.request('DELETE', '/interfaces/if-other?wait=installed');
    const unbound: Told[] = [];
    await eventually('the zone being emptied', async () => {
      unbound.push(...(await told()));
      return flushed(unbound).length > 0 && unbound.at(-1) === 'barrier';
    });
    const again = { uuid: 'if-other', mode: 'vif', network_uuid: 'nw-a', mac_address: other.mac, ipv4_address: '10.1.0.12' };
    await world.hotori.post('/interfaces?wait=installed', { ...again, security_group_uuids: ['sg-server'] });
    await world.untilPlugged('other');
    const bound = await told();
    expect({ unbound: flushed(unbound), bound: flushed(bound), first: bound.find((message) => message !== 'barrier') }).toEqual({
      unbound: [zone],
      bound: [await zoneOf('other')],
      first: `flush ${await zoneOf('other')}`,
    });
  }, 30_000);
});
