/**
 * OVN's own daemons, apart from any the machine runs.
 *
 * Owns: the two central databases and northd, in run directories of the lab; starting and ending an ovn-controller for a switch.
 * Assumes: the Debian packages ovn-central and ovn-host are installed; their services need not run.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Daemon } from '../../lab/daemon.js';
import { eventually } from '../../lab/eventually.js';
import type { Ovs } from '../../lab/ovs.js';
import { run } from '../../lab/run.js';

const SCHEMAS = '/usr/share/ovn';

export function isOvnInstalled(): boolean {
  return existsSync(`${SCHEMAS}/ovn-nb.ovsschema`) && existsSync('/usr/bin/ovn-northd') && existsSync('/usr/bin/ovn-controller');
}

export class OvnCentral {
  readonly dir: string;
  #nb!: Daemon;
  #sb!: Daemon;
  #northd!: Daemon;

  constructor(dir: string) {
    this.dir = dir;
  }

  socket(which: 'nb' | 'sb'): string {
    return path.join(this.dir, `${which}.sock`);
  }

  get pids(): { readonly nb: number; readonly sb: number; readonly northd: number } {
    return { nb: this.#nb.pid, sb: this.#sb.pid, northd: this.#northd.pid };
  }

  async start(): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    this.#nb = await this.#startDatabase('nb');
    this.#sb = await this.#startDatabase('sb');
    const [nb, sb] = [`unix:${this.socket('nb')}`, `unix:${this.socket('sb')}`];
    await run(['ovn-nbctl', `--db=${nb}`, 'init'], { env: environment(this.dir) });
    await run(['ovn-sbctl', `--db=${sb}`, 'init'], { env: environment(this.dir) });
    // As OVN's own scale tests do: a long computation is not to look like a dead peer.
    await run(['ovn-nbctl', `--db=${nb}`, 'set', 'NB_Global', '.', 'options:northd_probe_interval=180000'], { env: environment(this.dir) });
    this.#northd = Daemon.start(
      ['ovn-northd', `--ovnnb-db=${nb}`, `--ovnsb-db=${sb}`, `--unixctl=${this.dir}/northd.ctl`, ...options(this.dir, 'northd')],
      path.join(this.dir, 'northd.out'),
      environment(this.dir),
    );
  }

  async stop(): Promise<void> {
    for (const daemon of [this.#northd, this.#sb, this.#nb]) await daemon.stop();
  }

  async #startDatabase(which: 'nb' | 'sb'): Promise<Daemon> {
    const file = path.join(this.dir, `${which}.db`);
    await run(['ovsdb-tool', 'create', file, `${SCHEMAS}/ovn-${which}.ovsschema`]);
    const argv = [
      'ovsdb-server',
      `--remote=punix:${this.socket(which)}`,
      `--unixctl=${this.dir}/${which}.ctl`,
      ...options(this.dir, which),
      file,
    ] as const;
    const daemon = Daemon.start(argv, path.join(this.dir, `${which}.out`), environment(this.dir));
    await eventually(`the ${which} database answering`, () => existsSync(this.socket(which)));
    return daemon;
  }
}

/** The ovn-controller of one switch. */
export class OvnController {
  readonly #ovs: Ovs;
  #daemon: Daemon | undefined;

  constructor(ovs: Ovs) {
    this.#ovs = ovs;
  }

  get pid(): number {
    if (this.#daemon === undefined) throw new Error('ovn-controller was not started');
    return this.#daemon.pid;
  }

  /** @param number of the hypervisor, from 0 */
  async prepare(number: number, central: OvnCentral): Promise<void> {
    const address = `192.168.${number >> 7}.${(number & 127) + 1}`;
    const ids = {
      hostname: `hv${number}`,
      'system-id': `hv${number}`,
      'ovn-remote': `unix:${central.socket('sb')}`,
      'ovn-encap-type': 'geneve',
      'ovn-encap-ip': address,
      'ovn-remote-probe-interval': '180000',
      'ovn-openflow-probe-interval': '180',
    };
    // Double quotes, for ovs-vsctl takes a colon as the end of a word.
    const settings = Object.entries(ids).map(([key, value]) => `external-ids:${key}="${value}"`);
    await this.#ovs.vsctl('add-br', 'br-phys');
    await this.#ovs.appctl('netdev-dummy/ip4addr', 'br-phys', `${address}/16`);
    await this.#ovs.appctl('ovs/route/add', `${address}/16`, 'br-phys');
    const bridge = ['add-br', 'br-int', '--', 'set', 'bridge', 'br-int', 'fail-mode=secure', 'other-config:disable-in-band=true'];
    await this.#ovs.vsctl('set', 'Open_vSwitch', '.', ...settings, '--', ...bridge);
  }

  start(): void {
    const { dir, ovsdbEndpoint } = this.#ovs;
    const argv = ['ovn-controller', ...options(dir, 'ovn-controller'), ovsdbEndpoint] as const;
    this.#daemon = Daemon.start(argv, path.join(dir, 'ovn-controller.out'), environment(dir));
  }

  /** Ends it as an upgrade does: the switch keeps its flows. */
  async endForRestart(): Promise<void> {
    await run(['ovn-appctl', '-t', path.join(this.#ovs.dir, `ovn-controller.${this.pid}.ctl`), 'exit', '--restart']);
    await this.#daemon?.exited;
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop();
  }
}

function environment(dir: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    ['OVS', 'OVN'].flatMap((name) => ['RUNDIR', 'LOGDIR', 'DBDIR', 'SYSCONFDIR'].map((kind) => [`${name}_${kind}`, dir])),
  );
}

function options(dir: string, name: string): string[] {
  const file = (ending: string): string => path.join(dir, `${name}.${ending}`);
  return [`--pidfile=${file('pid')}`, `--log-file=${file('log')}`, '-vconsole:off'];
}
