/**
 * The physical network between hypervisors: L2s joined by a router.
 *
 * Owns: a namespace with a bridge for each L2, whose own addresses are the router's, and the cables to the hypervisors.
 * Assumes: a hypervisor's end of a cable goes into a bridge of its Open vSwitch, which has the tunnel address on its own port, as userspace tunnels need it.
 * Promises: IPv4 172.16.N.0/24 and IPv6 fd16:N::/64 on the Nth L2, the router at .1 of each; what crosses can be watched at the router's end of each cable.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import type { Hypervisor } from './hypervisor.js';
import { Netns } from './netns.js';
import { run } from './run.js';

export interface Attachment {
  readonly hypervisor: Hypervisor;
  /** Of the L2, from 1. */
  readonly segment: number;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** The bridge with the hypervisor's NIC. */
export const UNDERLAY_BRIDGE = 'br-phy';

export class Underlay {
  readonly netns: Netns;
  readonly attachments: Attachment[] = [];
  readonly #dir: string;
  readonly #segments = new Set<number>();
  #watches = 0;

  constructor(netnsName: string, dir: string) {
    this.netns = new Netns(netnsName);
    this.#dir = dir;
  }

  async start(): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    await this.netns.create();
    await this.netns.run([
      'sysctl',
      '-qw',
      'net.ipv4.ip_forward=1',
      'net.ipv6.conf.all.forwarding=1',
      'net.ipv6.conf.default.accept_dad=0',
    ]);
  }

  /** Gives a hypervisor a NIC on an L2, in a bridge with an address there and the router as its way elsewhere. */
  async attach(hypervisor: Hypervisor, segment: number, host: number, mtu = 1500): Promise<Attachment> {
    await this.#ensureSegment(segment);
    const cable = `c${segment}-${host}`;
    const { netns, ovs } = hypervisor;
    const near = ['name', 'eth-phy', 'mtu', String(mtu), 'netns', netns.name] as const;
    await run(['ip', 'link', 'add', cable, 'mtu', String(mtu), 'netns', this.netns.name, 'type', 'veth', 'peer', ...near]);
    await run(['ip', '-n', this.netns.name, 'link', 'set', cable, 'master', `l2-${segment}`, 'up']);
    // The address is the bridge's: the NIC beneath, where the host hears everything too, says nothing of its own.
    await netns.run(['sysctl', '-qw', 'net.ipv4.conf.eth-phy.arp_ignore=8', 'net.ipv6.conf.eth-phy.disable_ipv6=1']);
    await run(['ip', '-n', netns.name, 'link', 'set', 'eth-phy', 'up']);
    await ovs.vsctl(
      ...['add-br', UNDERLAY_BRIDGE, '--', 'set', 'bridge', UNDERLAY_BRIDGE, `datapath_type=${ovs.datapathType}`],
      ...['--', 'set', 'interface', UNDERLAY_BRIDGE, `mtu_request=${mtu}`, '--', 'add-port', UNDERLAY_BRIDGE, 'eth-phy'],
    );
    await netns.run(['sysctl', '-qw', `net.ipv6.conf.${UNDERLAY_BRIDGE}.disable_ipv6=0`, `net.ipv6.conf.${UNDERLAY_BRIDGE}.accept_dad=0`]);
    const attachment = { hypervisor, segment, ipv4: `172.16.${segment}.${host}`, ipv6: `fd16:${segment}::${host}` };
    const ip = (...args: string[]) => run(['ip', '-n', netns.name, ...args]);
    await ip('link', 'set', UNDERLAY_BRIDGE, 'up');
    await ip('addr', 'add', `${attachment.ipv4}/24`, 'dev', UNDERLAY_BRIDGE);
    await ip('-6', 'addr', 'add', `${attachment.ipv6}/64`, 'dev', UNDERLAY_BRIDGE, 'nodad');
    await ip('route', 'add', 'default', 'via', `172.16.${segment}.1`);
    await ip('-6', 'route', 'add', 'default', 'via', `fd16:${segment}::1`);
    this.attachments.push(attachment);
    return attachment;
  }

  /** Cuts a hypervisor's cable, or joins it again. */
  async setCable({ segment, ipv4 }: Attachment, up: boolean): Promise<void> {
    await run(['ip', '-n', this.netns.name, 'link', 'set', cableOf(segment, ipv4), up ? 'up' : 'down']);
  }

  /** Starts watching what a hypervisor sends and receives (`in`: sends); the daemon prints a line for each packet that the filter admits, with its time in seconds. */
  async watch({ segment, ipv4 }: Attachment, filter: string, direction: 'in' | 'inout' = 'inout'): Promise<Daemon> {
    this.#watches += 1;
    const argv = ['tcpdump', '-n', '-tt', '-l', '-i', cableOf(segment, ipv4), '-Q', direction, filter] as const;
    const daemon = Daemon.start(this.netns.argv(argv), path.join(this.#dir, `tcpdump-${this.#watches}.out`));
    await eventually('tcpdump listening', () => /listening on/.test(daemon.output()));
    return daemon;
  }

  async destroy(): Promise<void> {
    await this.netns.destroy();
  }

  async #ensureSegment(segment: number): Promise<void> {
    if (this.#segments.has(segment)) return;
    this.#segments.add(segment);
    const name = `l2-${segment}`;
    const ip = (...args: string[]) => run(['ip', '-n', this.netns.name, ...args]);
    await ip('link', 'add', name, 'type', 'bridge', 'mcast_snooping', '0');
    await ip('link', 'set', name, 'up');
    // A datapath in user space takes a checksum that is left out for a wrong one.
    await this.netns.run(['ethtool', '-K', name, 'tx', 'off']);
    await ip('addr', 'add', `172.16.${segment}.1/24`, 'dev', name);
    await ip('-6', 'addr', 'add', `fd16:${segment}::1/64`, 'dev', name, 'nodad');
  }
}

function cableOf(segment: number, ipv4: string): string {
  return `c${segment}-${ipv4.split('.')[3]!}`;
}
