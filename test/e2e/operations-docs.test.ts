/**
 * The blocks of docs/operations, run on a machine that is a namespace with files of its own: packages, Redis with its users, the roles as the units start them,
 * Sentinel. What systemd would do is left to `systemd-analyze verify`; `npm ci` and the build have been run.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { documentedBlocks, shownCommands } from '../lab/documented-blocks.js';
import { Daemon } from '../lab/daemon.js';
import { eventually } from '../lab/eventually.js';
import { repositoryRoot } from '../lab/hotori.js';
import type { Hypervisor } from '../lab/hypervisor.js';
import { Lab } from '../lab/lab.js';
import { Netns } from '../lab/netns.js';
import { run } from '../lab/run.js';

const TIMEOUT = 120_000;
const [INSTALL, AVAILABILITY] = ['operations/install.md', 'operations/high-availability.md'];
/** The machine's own directories, with changes that nobody else sees. */
const APART = ['etc', 'opt', 'var/lib'];

let lab: Lab;
let host: Hypervisor;
beforeAll(async () => {
  lab = await Lab.create();
  host = await lab.addHypervisor();
}, TIMEOUT);
afterAll(() => lab.destroy(), TIMEOUT);

/** One shell, in the namespace and with directories apart, that reads what it is to do from a file. Resolves when it says `ready`. */
async function shell(name: string, script: string): Promise<Daemon> {
  const dir = path.join(lab.dir, name);
  await mkdir(dir, { recursive: true });
  const mounts = APART.map((one) => {
    const at = path.join(dir, one.replace('/', '-'));
    return `mkdir -p ${at}/upper ${at}/work && mount -t overlay overlay -o lowerdir=/${one},upperdir=${at}/upper,workdir=${at}/work /${one}`;
  });
  const file = path.join(dir, 'script');
  await writeFile(
    file,
    [
      'set -eux',
      'export npm_config_offline=true',
      `mount -t tmpfs tmpfs ${dir}`,
      ...mounts,
      `cd ${dir}`,
      script,
      'echo ready',
      'sleep infinity',
    ].join('\n'),
  );
  const daemon = Daemon.start(host.netns.argv(['unshare', '-m', 'bash', file]), path.join(lab.dir, `${name}.log`));
  const isReady = () => !daemon.isRunning || /^ready$/m.test(daemon.output());
  await eventually(`${name} being ready`, isReady, { timeoutMs: 60_000 }).catch(() => daemon.kill9());
  if (!daemon.isRunning) throw new Error(`${name} is not ready:\n${daemon.output().slice(-4000)}`);
  return daemon;
}

/** Runs a command beside such a shell, in what it sees. */
async function beside(daemon: Daemon, command: string): Promise<string> {
  return run(['nsenter', '-t', String(daemon.pid), '-m', '-n', 'bash', '-c', `set -o pipefail; ${command}`]);
}

const here = (file: string, text: string) => `cat > ${file} <<'END'\n${text}\nEND`;
const shapeOf = (text: string) => text.trim().replaceAll(/\d+/g, 'N');

it(
  'docs/operations/install.md leads to three roles that serve a hypervisor, with what it says to copy, Redis users and all',
  async () => {
    const root = repositoryRoot();
    const tree = path.join(lab.dir, 'tree');
    await mkdir(tree);
    await run(['cp', '-r', ...['dist', 'package.json', 'package-lock.json'].map((one) => path.join(root, one)), tree]);
    // Links where they can be made: what is pruned is unlinked.
    await run(['bash', '-c', `cp -al ${root}/node_modules ${tree} 2>&- || cp -a ${root}/node_modules ${tree}`]);
    const unit = documentedBlocks(INSTALL, 'ini')[0]!;
    const start = /^ExecStart=(.*)$/m.exec(unit)![1]!;
    const runRole = (role: string) =>
      `${start.replace(' vna ', ` ${role} `).replace('hotori.yaml', `${role}.yaml`)} > ${role}.log 2>&1 &`.replace(
        '/usr/bin/node',
        process.execPath,
      );
    const vna = {
      ovsdb: host.ovs.ovsdbEndpoint.replace(host.ovs.dir, path.join(lab.dir, 'late')),
      datapath_type: 'netdev',
      node_id: 'hv1',
    };
    const settings = {
      vnmgr: { redis: 'redis://hotori:SECRET1@127.0.0.1' },
      webapi: { redis: 'redis://hotori:SECRET1@127.0.0.1' },
      vna: { redis: 'redis://vna-hv1:SECRET3@127.0.0.1', vna: [vna] },
    };
    const machine = await shell(
      'install',
      [
        `cd ${tree}`,
        ...documentedBlocks(INSTALL, 'sh run'),
        'cd -',
        here('/etc/hotori/hotori-vna.service', unit.replace('/usr/bin/node', process.execPath)),
        'systemd-analyze verify /etc/hotori/hotori-vna.service',
        here('/etc/hotori/hotori.yaml', documentedBlocks(INSTALL, 'yaml')[0]!),
        `${process.execPath} /opt/hotori/dist/main.js check-config --config /etc/hotori/hotori.yaml`,
        here('/etc/redis/redis.conf', documentedBlocks(INSTALL, 'redis.conf').join('\n')),
        'redis-server /etc/redis/redis.conf > redis.log 2>&1 &',
        'until redis-cli --user hotori --pass SECRET1 ping; do sleep 0.1; done',
        ...Object.entries(settings).map(([role, text]) => here(`/etc/hotori/${role}.yaml`, JSON.stringify(text))),
        ...Object.keys(settings).map(runRole),
      ].join('\n'),
    );
    expect(machine.output()).not.toMatch(/hotori-vna\.service:\d+:/);
    const size = Number.parseInt(await beside(machine, 'du -sm /opt/hotori'), 10);
    expect([size > 30, size < 80]).toEqual([true, true]);

    const [checks] = documentedBlocks(INSTALL, 'sh shown');
    for (const { command, output } of shownCommands(checks!))
      await eventually(`${command} answering ${output}`, async () => (await beside(machine, `${command} -s`)).trim() === output, {
        timeoutMs: 30_000,
      });
    await run(['ln', '-s', host.ovs.dir, path.join(lab.dir, 'late')]);
    const vnctl = `${process.execPath} /opt/hotori/dist/webapi/vnctl/main.js`;
    await eventually(
      'the hypervisor being up to date',
      async () => (await beside(machine, 'curl -s http://127.0.0.1:9092/readyz')) === 'ok\n',
      {
        timeoutMs: 30_000,
      },
    );
    await beside(machine, `${vnctl} networks add --uuid nw-a --mode virtual --ipv4_network 10.9.0.0`);
    expect(await beside(machine, `${vnctl} status`)).toMatch(/dp-hv1/);
    const other = await beside(machine, 'redis-cli --user vna-hv1 --pass SECRET3 --no-auth-warning hgetall {hotori}:entities 2>&1');
    expect(other).toMatch(/NOPERM/);

    const shown = shownCommands(documentedBlocks(AVAILABILITY, 'sh shown')[1]!);
    const asCore = (command: string) => command.replace('redis-cli', 'redis-cli --user default --pass SECRET0 --no-auth-warning');
    const [head, entities, log, clients] = await Promise.all(shown.map(({ command }) => beside(machine, asCore(command))));
    const fields = (text: string) => text.split('\n').map((line) => line.split(' ')[0]!);
    expect(
      fields(head!)
        .filter((_, i) => i % 2 === 0 && fields(head!)[i] !== '')
        .sort(),
    ).toEqual(fields(shown[0]!.output).sort());
    expect([Number(entities) > 0, Number(log) > 0]).toEqual([true, true]);
    for (const line of shapeOf(shown[3]!.output).split('\n')) expect(shapeOf(clients!)).toContain(line);

    // What the page on availability gives one user of its own.
    for (const line of documentedBlocks(AVAILABILITY, 'redis-cli')[0]!.trim().split('\n'))
      expect(await beside(machine, `${asCore('redis-cli')} ${line.replaceAll(/(\S*[>~&*{}]\S*)/g, "'$1'")}`)).toBe('OK\n');
    expect(await beside(machine, 'redis-cli --user hotori --pass SECRET --no-auth-warning info server | grep -c redis_version')).toBe(
      '1\n',
    );
    await machine.stop();
  },
  TIMEOUT,
);

it(
  'docs/operations/high-availability.md leads to three Redis with Sentinels that agree, and a vnmgr finds the master',
  async () => {
    const [server, sentinel] = ['redis.conf of each', 'sentinel.conf of each'].map(
      (fence) => documentedBlocks(AVAILABILITY, fence)[0]!,
    ) as [string, string];
    const all = documentedBlocks(AVAILABILITY, 'redis.conf').join('\n');
    const wire = new Netns(`${lab.prefix}-wire`);
    const hosts = [1, 2, 3].map((n) => new Netns(`${lab.prefix}-redis${n}`));
    const daemons: Daemon[] = [];
    const start = (on: Netns, name: string, argv: readonly string[]) => {
      const daemon = Daemon.start(on.argv(argv as [string, ...string[]]), path.join(lab.dir, `${name}.log`));
      daemons.push(daemon);
      return daemon;
    };
    try {
      await wire.create();
      await wire.run(['ip', 'link', 'add', 'name', 'br0', 'type', 'bridge']);
      await wire.run(['ip', 'link', 'set', 'br0', 'up']);
      for (const [i, host] of hosts.entries()) {
        await host.create();
        const n = i + 1;
        await run(['ip', 'link', 'add', `h${n}`, 'netns', wire.name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.name]);
        await wire.run(['ip', 'link', 'set', `h${n}`, 'master', 'br0', 'up']);
        await host.run(['ip', 'addr', 'add', `10.0.0.${n}/24`, 'dev', 'eth0']);
        await host.run(['ip', 'link', 'set', 'eth0', 'up']);
        const dir = path.join(lab.dir, `redis${n}`);
        await mkdir(dir);
        const own = (text: string) => `${text.replace('bind 10.0.0.1', `bind 10.0.0.${n}`)}\nprotected-mode no\ndir ${dir}\n`;
        const ofHost = n === 1 ? server.replace(/^replicaof.*$/m, '') : server;
        await writeFile(path.join(dir, 'redis.conf'), `${all}\n${own(ofHost)}`);
        await writeFile(path.join(dir, 'sentinel.conf'), own(sentinel));
        start(host, `redis${n}`, ['redis-server', path.join(dir, 'redis.conf')]);
        start(host, `sentinel${n}`, ['redis-server', path.join(dir, 'sentinel.conf'), '--sentinel']);
      }
      for (const { command, output } of shownCommands(documentedBlocks(AVAILABILITY, 'sh shown')[0]!))
        await eventually(`${command} answering`, async () => (await hosts[0]!.run(['bash', '-c', command])).trim() === output, {
          timeoutMs: 60_000,
        });
      await eventually(
        'the replicas',
        async () => /(state=online[^]*){2}/.test(await hosts[0]!.run(['redis-cli', '-h', '10.0.0.1', 'info', 'replication'])),
        {
          timeoutMs: 30_000,
        },
      );
      const url = /^redis: (.*)$/m.exec(documentedBlocks(AVAILABILITY, 'yaml')[0]!)![1]!.replace('hotori:SECRET@', '');
      const vnmgr = start(hosts[2]!, 'ha-vnmgr', [process.execPath, `${repositoryRoot()}/dist/main.js`, 'vnmgr', '--redis', url]);
      await eventually('a vnmgr on it being up', () => !vnmgr.isRunning || /vnmgr is up/.test(vnmgr.output()), { timeoutMs: 30_000 });
      expect(vnmgr.output()).toMatch(/vnmgr is up/);
    } finally {
      await Promise.all(daemons.map((daemon) => daemon.kill9()));
      for (const one of [...hosts, wire]) await one.destroy();
    }
  },
  TIMEOUT,
);
