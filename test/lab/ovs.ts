/**
 * An Open vSwitch of its own: ovsdb-server and ovs-vswitchd in one run directory.
 *
 * Owns: both daemons, the database, their logs; the ovs-* tools pointed at them.
 * Assumes: the Debian packages openvswitch-switch and openvswitch-common are installed; their service need not run.
 * Promises: nothing of the machine's own Open vSwitch is read or written.
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import type { Netns } from './netns.js';
import { run, tryRun, type Argv, type RunOptions, type RunResult } from './run.js';

export interface OvsOptions {
  /** Run directory; short, for a socket path holds 107 bytes. */
  readonly dir: string;
  /** Where ovs-vswitchd runs; it opens its devices there. Without one it gets no real devices: use `dummy`. */
  readonly netns?: Netns;
  /** Every device is a dummy: for tests of the control plane. */
  readonly dummy?: boolean;
}

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** Daemon log lines that say nothing about the test. */
const EXPECTED_WARNINGS: readonly RegExp[] = [
  /\|fatal_signal(\(\w+\))?\|WARN\|terminating with signal/,
  // A client that was killed while the switch was sending to it.
  /\|WARN\|unix#\d+: .*(Connection reset by peer|Broken pipe)/,
  /\|rconn\|WARN\|.*: connection dropped \((Connection reset by peer|Broken pipe)\)/,
  // A VM whose NIC is gone while its port is not.
  /\|netdev_linux\|WARN\|(error receiving Ethernet packet on \S+: Network is down|.*: No such device)/,
  /\|dpif_netdev\|ERR\|error receiving data from \S+: Network is down/,
  // A packet came while the cached flow it matches was being taken out: it is forwarded, and not cached (upcall_cb, ofproto/ofproto-dpif-upcall.c).
  /\|ofproto_dpif_upcall\|WARN\|upcall_cb failure: ukey installation fails/,
  // A busy machine.
  /\|timeval\|WARN\|/,
];

export class Ovs {
  readonly dir: string;
  readonly #netns: Netns | undefined;
  readonly #dummy: boolean;
  #ovsdb: Daemon | undefined;
  #vswitchd: Daemon | undefined;

  constructor(options: OvsOptions) {
    this.dir = options.dir;
    this.#netns = options.netns;
    this.#dummy = options.dummy ?? false;
  }

  /** As `--ovsdb` takes it. */
  get ovsdbEndpoint(): string {
    return `unix:${path.join(this.dir, 'db.sock')}`;
  }

  /** The datapath type bridges of this switch have. */
  get datapathType(): 'system' | 'netdev' {
    return this.#dummy ? 'system' : 'netdev';
  }

  get ovsdbServer(): Daemon {
    if (this.#ovsdb === undefined) throw new Error('ovsdb-server was not started');
    return this.#ovsdb;
  }

  get vswitchd(): Daemon {
    if (this.#vswitchd === undefined) throw new Error('ovs-vswitchd was not started');
    return this.#vswitchd;
  }

  openflowSocket(bridge: string): string {
    return path.join(this.dir, `${bridge}.mgmt`);
  }

  async start(): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    await this.#createDatabase();
    await this.startOvsdb();
    await this.startVswitchd();
  }

  async startOvsdb(): Promise<void> {
    const { dir } = this;
    this.#ovsdb = Daemon.start(
      ['ovsdb-server', path.join(dir, 'conf.db'), `--remote=punix:${path.join(dir, 'db.sock')}`, ...this.#daemonOptions('ovsdb-server')],
      path.join(dir, 'ovsdb-server.out'),
      this.#env,
    );
    await this.#untilAnswering('ovsdb-server', this.#ovsdb);
    await this.vsctl('--no-wait', 'init');
  }

  async startVswitchd(): Promise<void> {
    const flags = this.#dummy ? ['--enable-dummy=system'] : ['--disable-system'];
    const argv: Argv = ['ovs-vswitchd', this.ovsdbEndpoint, ...flags, ...this.#daemonOptions('ovs-vswitchd')];
    this.#vswitchd = Daemon.start(this.#netns?.argv(argv) ?? argv, path.join(this.dir, 'ovs-vswitchd.out'), this.#env);
    await this.#untilAnswering('ovs-vswitchd', this.#vswitchd);
    // It answers before it has its bridges.
    await this.vsctl('init');
  }

  /** As a package upgrade does: the process ends in order, the datapath goes with it. */
  async stopVswitchd(): Promise<void> {
    await this.#vswitchd?.stop();
  }

  async killVswitchd(): Promise<void> {
    await this.#vswitchd?.kill9();
  }

  async restartVswitchd(): Promise<void> {
    await this.stopVswitchd();
    await this.startVswitchd();
  }

  async stopOvsdb(): Promise<void> {
    await this.#ovsdb?.stop();
  }

  async restartOvsdb(): Promise<void> {
    await this.stopOvsdb();
    await this.startOvsdb();
  }

  /** Loses all configuration, as when the database file is deleted. */
  async recreateDatabase(): Promise<void> {
    await this.stopOvsdb();
    await rm(path.join(this.dir, 'conf.db'));
    await this.#createDatabase();
    await this.startOvsdb();
  }

  async stop(): Promise<void> {
    await this.stopVswitchd();
    await this.stopOvsdb();
  }

  /** ovs-vsctl; several commands are separated by `--` as usual. Waits for ovs-vswitchd to have taken the change up. */
  vsctl(...args: string[]): Promise<string> {
    return run(['ovs-vsctl', '--timeout=10', `--db=${this.ovsdbEndpoint}`, ...args], { env: this.#env });
  }

  /** ovs-ofctl -O OpenFlow13, waiting for the socket of a bridge just made. */
  async ofctl(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const attempt = () => tryRun(['ovs-ofctl', '-O', 'OpenFlow13', ...args], { ...options, env: this.#env });
    const isEarly = ({ stderr }: RunResult) => /failed to open socket \((Connection refused|No such file or directory)\)/.test(stderr);
    let result = await attempt();
    for (let tries = 1; isEarly(result) && tries < 20; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      result = await attempt();
    }
    if (result.code !== 0) throw new Error(`ovs-ofctl ${args.join(' ')}: exit ${result.code}\n${result.stderr}${result.stdout}`);
    return result.stdout;
  }

  /** ovs-appctl to ovs-vswitchd. */
  appctl(...args: string[]): Promise<string> {
    return run(['ovs-appctl', '--timeout=10', '-t', path.join(this.dir, 'ovs-vswitchd.ctl'), ...args], { env: this.#env });
  }

  /**
   * Resolves when all cached flows have been looked at since: what was installed before is in force for every packet. One round may have been under way, and
   * past a flow already, when the tables changed; so the end of the next is waited for, too.
   */
  async revalidated(): Promise<void> {
    for (let round = 0; round < 2; round++) await this.appctl('revalidator/wait');
  }

  /** A bridge as Hotori makes it, for tests that do without Hotori. */
  async addBridge(name = 'br-int'): Promise<void> {
    await this.vsctl('add-br', name, '--', 'set', 'bridge', name, `datapath_type=${this.datapathType}`, 'fail_mode=secure');
    await this.ofctl(['set-frags', name, 'nx-match']);
  }

  /** Plugs a device into a bridge, waiting for the bridge if need be. */
  async addPort(bridge: string, port: string, ifaceId?: string): Promise<void> {
    const ids = ifaceId === undefined ? [] : ['--', 'set', 'interface', port, `external_ids:iface-id=${ifaceId}`];
    await this.vsctl('wait-until', 'bridge', bridge, '--', 'add-port', bridge, port, ...ids);
  }

  /** One line per flow, without counters and ages, sorted. */
  async flows(bridge = 'br-int'): Promise<string[]> {
    const dump = await this.ofctl(['--no-stats', '--no-names', 'dump-flows', bridge]);
    return dump
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line.includes('actions='))
      .sort();
  }

  /** Lines of level WARN, ERR or EMER in the daemons' logs, but those expected and those that match `allowed`. */
  async unexpectedWarnings(allowed: readonly RegExp[] = []): Promise<string[]> {
    const logs = await Promise.all(['ovsdb-server.log', 'ovs-vswitchd.log'].map((file) => readFile(path.join(this.dir, file), 'utf8')));
    return logs
      .flatMap((log) => log.split('\n'))
      .filter((line) => /\|(WARN|ERR|EMER)\|/.test(line))
      .filter((line) => ![...EXPECTED_WARNINGS, ...allowed].some((pattern) => pattern.test(line)));
  }

  async #createDatabase(): Promise<void> {
    await run(['ovsdb-tool', 'create', path.join(this.dir, 'conf.db'), SCHEMA]);
  }

  get #env(): Readonly<Record<string, string>> {
    return { OVS_RUNDIR: this.dir, OVS_LOGDIR: this.dir, OVS_DBDIR: this.dir, OVS_SYSCONFDIR: this.dir };
  }

  #daemonOptions(name: string): string[] {
    const file = (ending: string): string => path.join(this.dir, `${name}.${ending}`);
    return [`--unixctl=${file('ctl')}`, `--pidfile=${file('pid')}`, `--log-file=${file('log')}`, '-vconsole:off'];
  }

  async #untilAnswering(name: string, daemon: Daemon): Promise<void> {
    await eventually(`${name} answering`, async () => {
      if (!daemon.isRunning) throw new Error(daemon.output());
      return run(['ovs-appctl', '--timeout=5', '-t', path.join(this.dir, `${name}.ctl`), 'version'], { env: this.#env });
    });
  }
}
