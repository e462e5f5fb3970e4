/**
 * A VM: a network namespace with one NIC, running stock Linux commands.
 *
 * Owns: the namespace, its NIC `eth0` (a veth pair whose other end is the port of a hypervisor's bridge), programs started in it.
 * Promises: checksums are computed in the VM, for a datapath in user space does not add what a virtual NIC leaves out.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Daemon } from './daemon.js';
import { Dhclient } from './dhclient.js';
import type { Hypervisor } from './hypervisor.js';
import { Netns } from './netns.js';
import { run, type Argv, type RunOptions, type RunResult } from './run.js';

export interface VmSpec {
  readonly name: string;
  /** Default: one that no other VM of the lab has. */
  readonly mac?: string;
  /** `external_ids:iface-id` of the port; none unless given. */
  readonly iface_id?: string;
  /** Name of the port, at most 15 bytes. Default: the VM's name. */
  readonly port_name?: string;
  /** Bytes; default 1500. */
  readonly mtu?: number;
  /** Default `br-int`. */
  readonly bridge?: string;
  /** False: the NIC is there but in no bridge until `plug`. */
  readonly plugged?: boolean;
  /** False: the NIC stays down until `setUp`, or until a DHCP client takes it up. */
  readonly up?: boolean;
}

export interface PingResult {
  readonly sent: number;
  readonly received: number;
  readonly output: string;
}

const DEVICE = 'eth0';

export class Vm {
  readonly name: string;
  readonly mac: string;
  readonly portName: string;
  readonly bridge: string;
  readonly netns: Netns;
  readonly dhclient: Dhclient;
  readonly #spec: VmSpec;
  #hypervisor: Hypervisor;
  readonly #dir: string;
  readonly #daemons = new Set<Daemon>();
  #spawned = 0;

  /** @param dir own to this VM. */
  constructor(hypervisor: Hypervisor, netnsName: string, dir: string, spec: VmSpec & { mac: string }) {
    this.name = spec.name;
    this.mac = spec.mac;
    this.portName = spec.port_name ?? spec.name;
    this.bridge = spec.bridge ?? 'br-int';
    this.netns = new Netns(netnsName);
    this.#spec = spec;
    this.#hypervisor = hypervisor;
    this.#dir = dir;
    this.dhclient = new Dhclient({
      dir,
      device: DEVICE,
      resolvConf: this.netns.resolvConf,
      spawn: (argv, name) => this.spawn(argv, name),
    });
  }

  async start(): Promise<void> {
    const { mtu = 1500, iface_id, plugged = true, up = true } = this.#spec;
    const hypervisorNetns = this.#hypervisor.netns.name;
    await mkdir(this.#dir, { recursive: true });
    await this.netns.create();
    const nic = [DEVICE, 'mtu', String(mtu), 'address', this.mac, 'netns', this.netns.name] as const;
    const port = ['name', this.portName, 'mtu', String(mtu), 'netns', hypervisorNetns] as const;
    await run(['ip', 'link', 'add', ...nic, 'type', 'veth', 'peer', ...port]);
    await this.netns.run(['ethtool', '-K', DEVICE, 'tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off']);
    await run(['ip', '-n', hypervisorNetns, 'link', 'set', this.portName, 'up']);
    if (plugged) await this.plug(iface_id);
    if (up) await this.setUp(true);
  }

  /** Puts the NIC into the bridge, waiting for the bridge if need be. */
  async plug(ifaceId?: string): Promise<void> {
    await this.#hypervisor.ovs.addPort(this.bridge, this.portName, ifaceId);
  }

  /** Takes the NIC out of the bridge; the VM keeps it. */
  async unplug(): Promise<void> {
    await this.#hypervisor.ovs.vsctl('del-port', this.bridge, this.portName);
  }

  /** Where its NIC is. */
  get hypervisor(): Hypervisor {
    return this.#hypervisor;
  }

  /**
   * Live migration as the network sees it: the NIC leaves one hypervisor and is plugged in at another. The bridge it leaves keeps its port, as when nobody
   * tidies up there.
   */
  async moveTo(hypervisor: Hypervisor, ifaceId?: string): Promise<void> {
    await run(['ip', '-n', this.#hypervisor.netns.name, 'link', 'set', this.portName, 'netns', hypervisor.netns.name]);
    await run(['ip', '-n', hypervisor.netns.name, 'link', 'set', this.portName, 'up']);
    this.#hypervisor = hypervisor;
    await this.plug(ifaceId);
  }

  /** The NIC as seen from inside: cable in or out. */
  async setUp(up: boolean): Promise<void> {
    await run(['ip', '-n', this.netns.name, 'link', 'set', DEVICE, up ? 'up' : 'down']);
  }

  /** Adds an address by hand, as `10.0.0.1/24`, and a default route. */
  async configure(address: string, gateway?: string): Promise<void> {
    const family = address.includes(':') ? '-6' : '-4';
    const nodad = family === '-6' ? ['nodad'] : [];
    await run(['ip', family, '-n', this.netns.name, 'addr', 'add', address, 'dev', DEVICE, ...nodad]);
    if (gateway !== undefined) await run(['ip', family, '-n', this.netns.name, 'route', 'replace', 'default', 'via', gateway]);
  }

  /** Runs a command in the VM to its end, whatever the exit code. */
  exec(argv: Argv, options?: RunOptions): Promise<RunResult> {
    return this.netns.exec(argv, options);
  }

  /** As exec, but a failure is an error; gives standard output. */
  run(argv: Argv, options?: RunOptions): Promise<string> {
    return this.netns.run(argv, options);
  }

  /** Starts a command that runs until it is stopped, or the VM destroyed. */
  spawn(argv: Argv, name = path.basename(argv[0])): Daemon {
    this.#spawned += 1;
    const daemon = Daemon.start(this.netns.argv(argv), path.join(this.#dir, `${name}-${this.#spawned}.out`));
    this.#daemons.add(daemon);
    return daemon;
  }

  /** Stock ping. `count` packets (3), `interval` seconds apart (0.2), one more second for the last answer. */
  async ping(destination: string, options: { count?: number; interval?: number; size?: number } = {}): Promise<PingResult> {
    const { count = 3, interval = 0.2, size } = options;
    const argv: Argv = [
      'ping',
      '-n',
      '-c',
      String(count),
      '-i',
      String(interval),
      '-W',
      '1',
      ...(size === undefined ? [] : ['-s', String(size)]),
    ];
    const { stdout, stderr } = await this.exec([...argv, destination], { timeoutMs: count * interval * 1000 + 20_000 });
    return { ...pingCounts(stdout), output: stdout + stderr };
  }

  /** Addresses the NIC can use, as `ADDRESS/PREFIX`: those of the link included, those still checked for duplicates not. */
  async addresses(): Promise<string[]> {
    const [link] = JSON.parse(await run(['ip', '-n', this.netns.name, '-j', 'addr', 'show', 'dev', DEVICE])) as [
      { addr_info: { local: string; prefixlen: number; tentative?: boolean }[] },
    ];
    return link.addr_info.filter(({ tentative }) => tentative !== true).map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  }

  /** Also where `start` failed half-way. */
  async destroy(): Promise<void> {
    for (const daemon of this.#daemons) await daemon.kill9();
    await this.netns.destroy();
  }
}

/** The counts of a ping that was ended, from what it printed. */
export function pingCounts(output: string): { sent: number; received: number } {
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
  return { sent: Number(sent ?? 0), received: Number(received ?? 0) };
}
