/**
 * `npm run bench -- NAME [ARGS] [--json]`: runs one benchmark.
 *
 * With --json each figure is a JSON object on a line of its own; without, a line for people.
 */
import { resultLine, type Bench } from './result.js';

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  channel: async () => (await import('./channel.js')).benchChannel,
  codec: async () => (await import('./codec.js')).benchCodec,
  sg: async () => (await import('./sg.js')).benchSg,
  restart: async () => (await import('./restart.js')).benchRestart,
  scale: async () => (await import('./scale.js')).benchScale,
  w: async () => (await import('./w.js')).benchW,
  store: async () => (await import('./store.js')).benchStore,
  routing: async () => (await import('./routing.js')).benchRouting,
  install: async () => (await import('./install.js')).benchInstall,
  trace: async () => (await import('./trace.js')).benchTrace,
};

const args = process.argv.slice(2).filter((arg) => arg !== '--json');
const json = process.argv.includes('--json');
const load = BENCHES[args[0] ?? ''];
if (load === undefined) {
  process.stderr.write(`usage: npm run bench -- NAME [--json]\nNAME is one of: ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(64);
}
const bench = await load();
for await (const result of bench(args.slice(1))) process.stdout.write(`${json ? JSON.stringify(result) : resultLine(result)}\n`);
