import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Daemon } from '../lab/daemon.js';
import { eventually } from '../lab/eventually.js';
import { repositoryRoot } from '../lab/hotori.js';
import { Lab } from '../lab/lab.js';

/** The blocks of the README marked `run`, in one shell, on a machine that is a namespace with its own Open vSwitch. */
describe('README.md', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await Lab.create();
  });
  afterAll(() => lab.destroy(), 30_000);

  it('shows commands that work', async () => {
    const root = repositoryRoot();
    const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
    const script = [...readme.matchAll(/^```sh run\n(.*?)^```$/gms)].map(([, block]) => block).join('\n');
    expect(script.split('\n').length).toBeGreaterThan(30);

    const { netns, ovs } = await lab.addHypervisor();
    await netns.run(['ip', 'link', 'set', 'lo', 'up']);
    const within = (argv: readonly string[]) =>
      ['ip', 'netns', 'exec', netns.name, 'env', `OVS_RUNDIR=${ovs.dir}`, ...argv] as [string, ...string[]];
    const where = ['--state-dir', path.join(lab.dir, 'state'), '--ovsdb', ovs.ovsdbEndpoint, '--datapath-type', 'netdev'];
    const hotori = Daemon.start(
      within([process.execPath, path.join(root, 'dist/main.js'), 'all', ...where]),
      path.join(lab.dir, 'hotori.log'),
    );
    try {
      await eventually('Hotori being up', () => hotori.output().includes('connected to the bridge'), { timeoutMs: 20_000 });
      const shell = Daemon.start(within(['bash', '-euxc', `cd ${root}\n${script}`]), path.join(lab.dir, 'readme.log'));
      const { code } = await shell.exited;
      expect({ code, output: shell.output() }).toMatchObject({
        code: 0,
        output: expect.stringMatching(/3 packets transmitted, 3 received[\s\S]*port security if-vm1/) as string,
      });
    } finally {
      await hotori.stop();
    }
  }, 90_000);
});
