/** The executables as an operator meets them: what they refuse and how, and how they stop. No switch is needed. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Daemon } from '../lab/daemon.js';
import { documentedMetrics, shownMetrics } from '../lab/documented-metrics.js';
import { eventually } from '../lab/eventually.js';
import { freePort } from '../lab/free-port.js';
import { repositoryRoot } from '../lab/hotori.js';
import { tryRun, type RunResult } from '../lab/run.js';

/** Node.js takes its time to start where everybody else runs, too. */
const TIMEOUT = 30_000;

let dir: string;
const daemons: Daemon[] = [];
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'hotori-process-'));
});
afterEach(async () => {
  await Promise.all(daemons.splice(0).map((daemon) => daemon.kill9()));
  rmSync(dir, { recursive: true });
});

const dist = path.join(repositoryRoot(), 'dist');
const hotori = (...args: string[]): Promise<RunResult> =>
  tryRun([process.execPath, path.join(dist, 'main.js'), ...args], { timeoutMs: 10_000 });
const vnctl = (api: string, ...args: string[]): Promise<RunResult> =>
  tryRun([process.execPath, path.join(dist, 'webapi/vnctl/main.js'), '--server', api, ...args], { timeoutMs: 10_000 });

/** Everything where nobody else is, and a switch that is not there. */
function places(api: string, state = 'state'): string[] {
  return ['--api', api, '--state-dir', path.join(dir, state), '--ovsdb', `unix:${dir}/none.sock`];
}

async function startHotori(): Promise<{ api: string; daemon: Daemon }> {
  const api = `127.0.0.1:${await freePort()}`;
  const daemon = Daemon.start(
    [process.execPath, path.join(dist, 'main.js'), 'all', ...places(api)],
    path.join(dir, `${daemons.length}.log`),
  );
  daemons.push(daemon);
  await eventually('hotori being up', () => daemon.output().includes('hotori is up'));
  return { api, daemon };
}

describe('hotori', () => {
  it(
    'explains every setting',
    async () => {
      const { code, stdout } = await hotori('all', '--help');
      expect(code).toBe(0);
      for (const flag of [
        '--config',
        '--api',
        '--state-dir',
        '--ovsdb',
        '--bridge',
        '--datapath-type',
        '--node-id',
        '--auto-register',
        '--overlay-mode',
        '--audit-period',
      ])
        expect(stdout).toContain(` ${flag} `);
    },
    TIMEOUT,
  );

  it(
    'checks a configuration without starting anything',
    async () => {
      const file = path.join(dir, 'hotori.yaml');
      writeFileSync(
        file,
        'api: "[::1]:9099"\nvna:\n  - {ovsdb: "unix:/run/a.sock", node_id: a}\n  - {ovsdb: "unix:/run/b.sock", node_id: b}\n',
      );
      const good = await hotori('check-config', '--config', file, '--audit-period', '2.5');
      expect([good.code, good.stderr]).toEqual([0, '']);
      writeFileSync(path.join(dir, 'again.yaml'), good.stdout);
      expect((await hotori('check-config', '--config', path.join(dir, 'again.yaml'))).stdout).toBe(good.stdout);

      writeFileSync(file, 'audit_perod: 3\napi: here\n');
      const bad = await hotori('check-config', '--config', file);
      expect([bad.code, bad.stdout, bad.stderr.split('\n').map((line) => line.replace(dir, '').slice(0, 45))]).toEqual([
        1,
        '',
        ['hotori: /hotori.yaml:1: audit_perod: there is', 'hotori: /hotori.yaml:2: api: must be HOST:POR', ''],
      ]);
    },
    TIMEOUT,
  );

  it(
    'says in one line what keeps it from starting',
    async () => {
      const busy = createServer().listen(0, '127.0.0.1');
      await once(busy, 'listening');
      const taken = `127.0.0.1:${(busy.address() as AddressInfo).port}`;
      writeFileSync(path.join(dir, 'file'), '');
      const refusals = await Promise.all([
        hotori('all', ...places(taken, 'a')),
        hotori('all', ...places('127.0.0.1:0', 'file')),
        hotori('all', ...places('127.0.0.1:0', '../../proc/nowhere')),
        hotori('all', ...places('127.0.0.1:0', 'b'), '--config', path.join(dir, 'none.yaml')),
        hotori('all', ...places('127.0.0.1:0', 'b'), '--config', dir),
        hotori('all', ...places('127.0.0.1:0', 'b'), '--ovsdb', 'tcp:127.0.0.1:66400'),
      ]);
      busy.close();
      expect(refusals.map(({ code, stderr }) => [code, stderr.trim().split('\n').length, stderr.startsWith('hotori: ')])).toEqual(
        refusals.map(() => [1, 1, true]),
      );
      expect(refusals[0].stderr).toBe(`hotori: cannot listen on ${taken}: another process listens there\n`);
      expect(refusals[3].stderr).toBe(`hotori: ${dir}/none.yaml: there is no such file\n`);
      expect(refusals[4].stderr).toBe(`hotori: ${dir}: is a directory\n`);
    },
    TIMEOUT,
  );

  it(
    'refuses a command line it does not understand with 64',
    async () => {
      const refusals = await Promise.all([hotori(), hotori('everything'), hotori('all', '--brigde', 'x')]);
      expect(refusals.map(({ code }) => code)).toEqual([64, 64, 64]);
      expect(refusals[2].stderr).toBe("error: unknown option '--brigde'\n(Did you mean --bridge?)\n(--help explains)\n");
    },
    TIMEOUT,
  );

  it(
    'says that it lives, what it lacks, and what it measures: all that the three roles do',
    async () => {
      const { api } = await startHotori();
      const look = async (where: string) => {
        const response = await fetch(`http://${api}${where}`);
        return { status: response.status, text: await response.text() };
      };
      expect({ live: (await look('/livez')).status, ready: (await look('/readyz')).status }).toEqual({ live: 200, ready: 200 });
      const overBus = (name: string) => name.startsWith('hotori_bus_') || name === 'hotori_vnmgr_attached';
      expect(shownMetrics((await look('/metrics')).text)).toEqual(
        documentedMetrics('webapi', 'vnmgr', 'vna').filter((name) => !overBus(name)),
      );
    },
    TIMEOUT,
  );

  it(
    'stops on SIGTERM with 0, and what it has acknowledged is there when it starts again',
    async () => {
      const first = await startHotori();
      expect((await vnctl(first.api, 'networks', 'add', '--uuid', 'nw-a', '--ipv4_network', '10.0.0.0')).code).toBe(0);
      const stream = await fetch(`http://${first.api}/api/1.0/watch`);
      expect(await first.daemon.stop('SIGTERM', 5_000)).toEqual({ code: 0, signal: null });
      await stream.text();
      const second = await startHotori();
      expect((await vnctl(second.api, '-o', 'json', 'networks', 'show', 'nw-a')).stdout).toContain('"10.0.0.0"');
      await second.daemon.stop('SIGINT', 5_000);
      expect(readFileSync(second.daemon.logFile, 'utf8')).not.toMatch(/"level":(50|60)/);
    },
    TIMEOUT,
  );

  it(
    'ends at once on a second signal',
    async () => {
      const { api, daemon } = await startHotori();
      // Half a request keeps it draining.
      const half = fetch(`http://${api}/api/1.0/networks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{')) }),
        duplex: 'half',
      }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 200));
      daemon.signal('SIGTERM');
      await eventually('stopping', () => daemon.output().includes('stopping'));
      expect(daemon.isRunning).toBe(true);
      expect(await daemon.stop('SIGTERM', 1_000)).toEqual({ code: 1, signal: null });
      await half;
    },
    TIMEOUT,
  );

  it(
    'refuses a state directory that another process uses, and names the process',
    async () => {
      const { daemon } = await startHotori();
      const { code, stderr } = await hotori('all', ...places('127.0.0.1:0'));
      expect([code, stderr]).toEqual([1, `hotori: the store in ${dir}/state is in use by process ${daemon.pid}\n`]);
    },
    TIMEOUT,
  );
});
