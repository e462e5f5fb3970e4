/** `make demo`, as somebody sees it who looks at it, plays with it, and presses Ctrl-C. */
import path from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { Daemon } from '../lab/daemon.js';
import { eventually } from '../lab/eventually.js';
import { freePort } from '../lab/free-port.js';
import { repositoryRoot } from '../lab/hotori.js';
import { run } from '../lab/run.js';

describe('demo', () => {
  it('demo meets every expectation, stays up with the API, and is gone after Ctrl-C', async () => {
    const dir = await mkdtemp('/tmp/demo-');
    const api = `127.0.0.1:${await freePort()}`;
    const main = path.join(repositoryRoot(), 'dist/test/demo/main.js');
    const demo = Daemon.start([process.execPath, main, '--api', api], path.join(dir, 'out'));
    try {
      await eventually('the demo played', () => demo.output().includes('Ctrl-C removes everything') || !demo.isRunning, {
        timeoutMs: 90_000,
      });
      const failures = demo
        .output()
        .split('\n')
        .filter((line) => line.includes('✘'));
      expect(failures).toEqual([]);
      expect((await fetch(`http://${api}/api/1.0/status`)).status).toBe(200);

      expect(await demo.stop('SIGINT', 30_000)).toEqual({ code: 0, signal: null });
      const [, prefix] = /\/tmp\/(lab[0-9a-f]+)-/.exec(demo.output())!;
      expect([await run(['ip', 'netns', 'list']), await run(['ls', '/tmp']), await run(['ps', '-eo', 'args'])].join()).not.toContain(
        prefix,
      );
    } finally {
      await demo.stop('SIGTERM', 30_000);
      await rm(dir, { recursive: true });
    }
  }, 150_000);
});
