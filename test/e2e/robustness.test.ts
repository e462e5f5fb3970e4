import { eventually } from '../lab/eventually.js';
import type { Daemon } from '../lab/daemon.js';
import { pingCounts, type Vm } from '../lab/vm.js';
import { World } from './world.js';

/** Four VMs, two policed, pinging each other at 100/s while parts die. */
describe('when parts die', () => {
  let world: World;
  let vms: Vm[];

  beforeAll(async () => {
    world = await World.start({ args: ['--audit-period', '2'] });
    await world.defineNetworks();
    await world.hotori.post('/security_groups', {
      uuid: 'sg-ping',
      rules: [{ direction: 'ingress', protocol: 'icmp', remote: { any: true } }],
    });
    vms = await world.addVms(
      { name: 'a1', network: 'a', host: 11, groups: ['sg-ping'] },
      { name: 'a2', network: 'a', host: 12 },
      { name: 'b1', network: 'b', host: 11, groups: ['sg-ping'] },
      { name: 'b2', network: 'b', host: 12 },
    );
  }, 60_000);
  afterAll(() => world.destroy({ allowedWarnings: [/connect|the switch differed/i] }), 60_000);

  const pairs = () => {
    const [a1, a2, b1, b2] = vms as [Vm, Vm, Vm, Vm];
    return [
      [a1, '10.1.0.12'],
      [a2, '10.2.0.11'],
      [b1, '10.2.0.12'],
      [b2, '10.1.0.11'],
    ] as const;
  };

  /** Pings at 100/s on every pair for as long as `during` takes; packets lost per pair. */
  async function lostDuring(during: () => Promise<void>): Promise<number[]> {
    for (const [vm, target] of pairs()) await vm.ping(target, { count: 2 });
    const pings: Daemon[] = pairs().map(([vm, target]) => vm.spawn(['ping', '-n', '-q', '-i', '0.01', target]));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await during();
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const ping of pings) await ping.stop('SIGINT');
    return pings.map((ping) => {
      const { sent, received } = pingCounts(ping.output());
      expect(sent).toBeGreaterThan(80);
      // The last request may be on its way when ping is told to stop.
      return Math.max(0, sent - received - 1);
    });
  }

  it('kill -9 and restart of Hotori loses no packet and sends no flow-mod', async () => {
    const before = await world.hypervisor.ovs.flows();
    const lost = await lostDuring(async () => {
      await world.hotori.kill9();
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await world.hotori.start();
      await world.hotori.untilInstalled();
    });
    expect({ lost, mods: await world.flowMods(), flows: await world.hypervisor.ovs.flows() }).toEqual({
      lost: [0, 0, 0, 0],
      mods: 0,
      flows: before,
    });
  }, 60_000);

  it('flows are back within two seconds of the return of ovs-vswitchd', async () => {
    const before = await world.hypervisor.ovs.flows();
    await world.hypervisor.ovs.killVswitchd();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await world.hypervisor.ovs.startVswitchd();
    const returned = Date.now();
    await eventually('all flows being back', async () => (await world.hypervisor.ovs.flows()).length === before.length, {
      timeoutMs: 2000,
      everyMs: 50,
    });
    const repaired = Date.now() - returned;
    await eventually('pings passing again', async () => {
      for (const [vm, target] of pairs()) if ((await vm.ping(target, { count: 1 })).received !== 1) return false;
      return true;
    });
    expect(await world.hypervisor.ovs.flows()).toEqual(before);
    console.log(`flows back ${repaired} ms after ovs-vswitchd answered`);
  }, 60_000);

  it('a flow deleted or altered by hand is put back and a foreign flow is left alone', async () => {
    const { ovs } = world.hypervisor;
    const before = await ovs.flows();
    await ovs.ofctl(['add-flow', 'br-int', 'cookie=0x1234,table=200,priority=7,actions=drop']);
    await ovs.ofctl(['del-flows', 'br-int', 'table=96']);
    await ovs.ofctl(['mod-flows', '--strict', 'br-int', 'table=36,priority=0,actions=drop']);
    await eventually(
      'the drift being repaired',
      async () => (await ovs.flows()).filter((f) => !f.includes('cookie=0x1234')).join() === before.join(),
      {
        timeoutMs: 10_000,
      },
    );
    expect((await ovs.flows()).filter((f) => f.includes('cookie=0x1234'))).toHaveLength(1);
    await ovs.ofctl(['del-flows', 'br-int', 'cookie=0x1234/-1']);
  }, 30_000);

  it('SIGTERM ends Hotori cleanly and leaves the switch as it is', async () => {
    const before = await world.hypervisor.ovs.flows();
    await world.hotori.stop();
    const { code } = await world.hotori.process.exited;
    const kept = await world.hypervisor.ovs.flows();
    await world.hotori.start();
    await world.hotori.untilInstalled();
    expect({ code, kept }).toEqual({ code: 0, kept: before });
  }, 30_000);
});
