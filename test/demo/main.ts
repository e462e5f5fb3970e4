/**
 * `make demo`: the whole thing on one machine, to look at.
 *
 * Owns: start and end of the demo. Everything it makes is in one lab.
 * Promises: it ends by Ctrl-C, or by itself with --oneshot, and then nothing of it is left; the exit code is 0 only if every expectation held.
 */
import net from 'node:net';
import { parseArgs } from 'node:util';
import { Lab } from '../lab/lab.js';
import { Narrator } from './narrator.js';
import { Scenario } from './scenario.js';
import { VMS } from './topology.js';

const DEFAULT_API = '127.0.0.1:9090';
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const { values } = parseArgs({
  options: { api: { type: 'string', default: DEFAULT_API }, oneshot: { type: 'boolean', default: false } },
});
// What Ctrl-C cut short may still wait for something that will not come.
process.exit(await main(values.api, values.oneshot));

async function main(api: string, oneshot: boolean): Promise<number> {
  const problem = process.getuid?.() === 0 ? await reasonNotToListen(api) : 'root is needed, for network namespaces and Open vSwitch';
  if (problem !== undefined) {
    process.stderr.write(`make demo: ${problem}\n`);
    return 1;
  }
  const narrator = new Narrator();
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of STOP_SIGNALS) process.once(signal, () => resolve('interrupted'));
  });
  const lab = await Lab.create();
  let isComplete = false;
  try {
    const playing = new Scenario(lab, narrator).play(api);
    playing.catch(() => {});
    isComplete = (await Promise.race([playing, interrupted])) === undefined;
    // From here on a scenario that was interrupted fails step by step, as the lab is taken away from under it.
    if (!isComplete) narrator.dropScenario();
    if (isComplete && !oneshot) {
      invite(narrator, lab, api);
      await interrupted;
    }
  } catch (error) {
    narrator.expect(false, error instanceof Error ? error.message : String(error));
  } finally {
    narrator.say('\nRemoving everything.');
    await lab.destroy();
  }
  const isGood = isComplete && narrator.failures === 0;
  narrator.say(
    isGood ? '\nEvery expectation held.' : `\nFailed expectations: ${narrator.failures}${isComplete ? '' : '; not played to the end'}.`,
  );
  return isGood ? 0 : 1;
}

function invite(narrator: Narrator, lab: Lab, api: string): void {
  narrator.step('Yours now; Ctrl-C removes everything');
  const vnctl = ['node', 'dist/webapi/vnctl/main.js', ...(api === DEFAULT_API ? [] : ['--server', api])];
  narrator.command('try', [...vnctl, 'interfaces', 'show']);
  narrator.command('try', [...vnctl, 'flows', 'dp-demo', '--owner', 'if-web1']);
  narrator.command('try', ['curl', '-s', `http://${api}/api/1.0/status`]);
  narrator.command('try', ['ip', 'netns', 'exec', `${lab.prefix}-web1`, 'traceroute', '-n', VMS.db1.ipv4]);
}

/** Said before anything is started, for it is the likeliest thing to go wrong. */
async function reasonNotToListen(api: string): Promise<string | undefined> {
  const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(api) ?? [];
  if (host === undefined) return `${api} is not HOST:PORT`;
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once('error', (error) =>
      resolve(`the API cannot listen on ${api}: ${error.message} (choose another with make demo API=HOST:PORT)`),
    );
    server.listen(Number(port), host, () => server.close(() => resolve(undefined)));
  });
}
