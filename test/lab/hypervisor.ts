/**
 * A hypervisor: a network namespace with an Open vSwitch of its own.
 *
 * Owns: the namespace, the switch.
 * Promises: VMs' ports appear in this namespace and nowhere else; what talks to the switch over unix sockets may run anywhere.
 */
import { Netns } from './netns.js';
import { Ovs } from './ovs.js';

export class Hypervisor {
  readonly name: string;
  readonly netns: Netns;
  readonly ovs: Ovs;

  private constructor(name: string, netns: Netns, ovs: Ovs) {
    this.name = name;
    this.netns = netns;
    this.ovs = ovs;
  }

  static async create(name: string, netnsName: string, dir: string): Promise<Hypervisor> {
    const netns = await Netns.create(netnsName);
    // Otherwise the host's ends of the VMs' cables would speak IPv6 to the VMs.
    await netns.run(['sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']);
    const ovs = new Ovs({ dir, netns });
    const hypervisor = new Hypervisor(name, netns, ovs);
    await ovs.start();
    return hypervisor;
  }

  async destroy(): Promise<void> {
    await this.ovs.stop();
    await this.netns.destroy();
  }
}
