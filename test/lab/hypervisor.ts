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

  constructor(name: string, netnsName: string, dir: string) {
    this.name = name;
    this.netns = new Netns(netnsName);
    this.ovs = new Ovs({ dir, netns: this.netns });
  }

  async start(): Promise<void> {
    await this.netns.create();
    // Otherwise the host's ends of the VMs' cables would speak IPv6 to the VMs.
    await this.netns.run(['sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']);
    await this.ovs.start();
  }

  /** Also where `start` failed half-way. */
  async destroy(): Promise<void> {
    await this.ovs.stop();
    await this.netns.destroy();
  }
}
