/** vnctl against a real switch: a topology file in, packets through, flows with their owners out. */
import path from 'node:path';
import { repositoryRoot } from '../lab/hotori.js';
import { tryRun } from '../lab/run.js';
import { World } from './world.js';

const TOPOLOGY = `
networks:
  - {uuid: nw-blue, ipv4_network: 10.0.0.0, ipv4_prefix: 24}
interfaces:
  - {uuid: if-vm1, mode: vif, network_uuid: nw-blue, mac_address: "02:00:00:00:00:11", ipv4_address: 10.0.0.11}
  - {uuid: if-vm2, mode: vif, network_uuid: nw-blue, mac_address: "02:00:00:00:00:12", ipv4_address: 10.0.0.12, security_group_uuids: [sg-ping]}
security_groups:
  - uuid: sg-ping
    rules: [{direction: ingress, protocol: icmp, remote: {cidr: 10.0.0.0/24}}]
`;

describe('vnctl', () => {
  it('brings up what a file describes, and says which entity each flow on the bridge comes from', async () => {
    const world = await World.start();
    try {
      const { lab, hypervisor, hotori } = world;
      const vnctl = async (args: readonly string[], input = ''): Promise<string> => {
        const main = path.join(repositoryRoot(), 'dist/webapi/vnctl/main.js');
        const { code, stdout, stderr } = await tryRun([process.execPath, main, ...args], {
          env: { HOTORI_SERVER: new URL(hotori.url).host },
          input,
        });
        expect([args.join(' '), code, stderr]).toEqual([args.join(' '), 0, '']);
        return stdout;
      };

      const vm1 = await lab.addVm(hypervisor, { name: 'vm1', iface_id: 'if-vm1', mac: '02:00:00:00:00:11' });
      const vm2 = await lab.addVm(hypervisor, { name: 'vm2', iface_id: 'if-vm2', mac: '02:00:00:00:00:12' });
      await vm1.configure('10.0.0.11/24');
      await vm2.configure('10.0.0.12/24');
      expect(await vnctl(['--wait', 'apply', '-f', '-'], TOPOLOGY)).toMatch(/4 created, 0 changed, 0 unchanged/);
      await world.untilPlugged('vm1', 'vm2');
      expect(await vm1.ping('10.0.0.12')).toMatchObject({ sent: 3, received: 3 });

      const before = (await hotori.get('/status')) as { revision: number; datapaths: { uuid: string; flow_mods: number }[] };
      expect(await vnctl(['apply', '-f', '-'], TOPOLOGY)).toBe(`0 created, 0 changed, 4 unchanged; revision ${before.revision}\n`);
      expect(await vnctl(['apply', '-f', '-'], await vnctl(['export']))).toMatch(
        new RegExp(`0 created, 0 changed, \\d+ unchanged; revision ${before.revision}\n$`),
      );
      expect(await world.flowMods()).toBe(before.datapaths[0]!.flow_mods);

      const datapath = before.datapaths[0]!.uuid;
      expect(await vnctl(['status'])).toMatch(new RegExp(`revision ${before.revision}\n.*\n${datapath} +yes `));
      const lines = (await vnctl(['flows', datapath])).trimEnd().split('\n');
      const own = (await vnctl(['flows', datapath, '--owner', 'if-vm2'])).trimEnd().split('\n');
      expect(lines.filter((line) => / if-vm2( |$)/.test(line))).toEqual(own);
      expect(own.length).toBeGreaterThan(3);
      // What vnctl shows is what is installed, but for the flow that holds the digest.
      expect(lines.length).toBe((await hypervisor.ovs.flows()).length - 1);

      await vnctl(['--wait', 'interfaces', 'modify', 'if-vm2', '--security_group_uuids=']);
      await vnctl(['--wait', 'security_groups', 'del', 'sg-ping']);
      await vnctl(['--wait', 'interfaces', 'del', 'if-vm2']);
      expect(await vm1.ping('10.0.0.12', { count: 1 })).toMatchObject({ received: 0 });
    } finally {
      await world.destroy({ commonCheck: false });
    }
  }, 60_000);
});
