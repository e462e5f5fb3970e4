/** The laboratory itself: what other end-to-end tests stand on. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../lab/eventually.js';
import { Lab } from '../lab/lab.js';
import { run, tryRun } from '../lab/run.js';

/** Everything on this machine that carries the lab's name. */
async function tracesOf(lab: { prefix: string; dir: string }): Promise<string[]> {
  const namespaces = (await run(['ip', 'netns', 'list'])).split('\n');
  const etc = existsSync('/etc/netns') ? readdirSync('/etc/netns') : [];
  const processes = (await run(['ps', '-eo', 'pid,args'])).split('\n').filter((line) => !line.includes('reaper'));
  const files = existsSync(lab.dir) ? [lab.dir] : [];
  return [...[...namespaces, ...etc, ...processes].filter((line) => line.includes(lab.prefix)), ...files];
}

describe('lab', () => {
  it('two VMs reach each other through a bridge that does what a switch does', async () => {
    const lab = await Lab.create();
    try {
      const hypervisor = await lab.addHypervisor();
      await hypervisor.ovs.addBridge();
      await hypervisor.ovs.ofctl(['add-flow', 'br-int', 'actions=NORMAL']);
      const vm1 = await lab.addVm(hypervisor, { name: 'vm1', iface_id: 'if-one' });
      const vm2 = await lab.addVm(hypervisor, { name: 'vm2', mtu: 1400, mac: '02:00:00:00:00:02' });
      await vm1.configure('10.0.0.1/24');
      await vm2.configure('10.0.0.2/24');

      expect(await vm1.ping('10.0.0.2')).toMatchObject({ sent: 3, received: 3 });
      await eventually('an address of the link', async () => (await vm2.addresses()).length === 2);
      expect(await vm2.addresses()).toEqual(['10.0.0.2/24', 'fe80::ff:fe00:2/64']);
      expect((await hypervisor.ovs.vsctl('get', 'interface', 'vm1', 'external_ids:iface-id')).trim()).toBe('if-one');
      expect(await hypervisor.ovs.flows()).toEqual(['actions=NORMAL']);

      const listener = vm2.spawn(['nc', '-l', '-k', '80']);
      await eventually('a TCP connection', async () => (await vm1.exec(['nc', '-z', '-w', '1', '10.0.0.2', '80'])).code === 0);
      await listener.stop();
      expect((await vm1.exec(['nc', '-z', '-w', '1', '10.0.0.2', '80'])).code).toBe(1);

      await vm2.unplug();
      expect(await vm1.ping('10.0.0.2', { count: 1 })).toMatchObject({ received: 0 });
      await vm2.plug();
      await hypervisor.ovs.killVswitchd();
      await hypervisor.ovs.startVswitchd();
      await hypervisor.ovs.ofctl(['add-flow', 'br-int', 'actions=NORMAL']);
      expect(await vm1.ping('10.0.0.2')).toMatchObject({ received: 3 });
      expect(await hypervisor.ovs.unexpectedWarnings()).toEqual([]);
    } finally {
      await lab.destroy();
    }
    expect(await tracesOf(lab)).toEqual([]);
  }, 60_000);

  it('each VM has its own resolv.conf when it writes one', async () => {
    const lab = await Lab.create();
    try {
      const hypervisor = await lab.addHypervisor();
      const vm = await lab.addVm(hypervisor, { name: 'vm1', plugged: false });
      await vm.run(['sh', '-c', 'echo nameserver 192.0.2.53 > /etc/resolv.conf']);

      expect(await vm.run(['cat', '/etc/resolv.conf'])).toBe('nameserver 192.0.2.53\n');
      expect(await run(['cat', '/etc/resolv.conf'])).not.toContain('192.0.2.53');
    } finally {
      await lab.destroy();
    }
  }, 60_000);

  it('lab leaves nothing when its process is killed', async () => {
    const script = `
      const { Lab } = await import('${process.cwd()}/dist/test/lab/lab.js');
      const lab = await Lab.create();
      const hypervisor = await lab.addHypervisor();
      await hypervisor.ovs.addBridge();
      const vm = await lab.addVm(hypervisor, { name: 'vm1' });
      vm.spawn(['sleep', '1000']);
      console.log(JSON.stringify({ prefix: lab.prefix, dir: lab.dir }));
      await new Promise(() => setInterval(() => {}, 1000));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const line = await new Promise<string>((resolve) => child.stdout.setEncoding('utf8').once('data', resolve));
    const lab = JSON.parse(line) as { prefix: string; dir: string };
    expect(await tracesOf(lab)).not.toEqual([]);

    child.kill('SIGKILL');
    await eventually('the reaper done', async () => (await tracesOf(lab)).length === 0);
  }, 60_000);

  it('a dummy switch has bridges and ports but needs no namespace', async () => {
    const lab = await Lab.create();
    try {
      const ovs = await lab.addDummySwitch();
      await ovs.addBridge();
      await ovs.addPort('br-int', 'p1', 'if-one');
      expect((await ovs.vsctl('get', 'interface', 'p1', 'ofport')).trim()).toBe('1');
      expect(await ovs.unexpectedWarnings()).toEqual([]);
    } finally {
      await lab.destroy();
    }
    expect(await tracesOf(lab)).toEqual([]);
  }, 60_000);
});

describe('eventually', () => {
  it('eventually names what did not happen and the last error', async () => {
    const never = eventually('the impossible', () => Promise.reject(new Error('no way')), { timeoutMs: 60, everyMs: 10 });
    await expect(never).rejects.toThrow('the impossible: not within 60 ms: no way');
  });
});

describe('tryRun', () => {
  it('command is killed when it takes too long', async () => {
    const started = Date.now();
    await expect(tryRun(['sleep', '30'], { timeoutMs: 100 })).rejects.toThrow('sleep 30: not done in 100 ms');
    await sleep(0);
    expect(Date.now() - started).toBeLessThan(5_000);
  });
});
