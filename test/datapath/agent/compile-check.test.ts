import { CompileCheck } from '../../../datapath/agent/compile-check.js';
import { digestOf } from '../../../datapath/agent/image.js';
import { createCompiler } from '../../../flows/compile/compiler.js';
import type { CompileRecord } from '../../../flows/compile/contract.js';
import { iface, ipLease, localPort, macLease, network } from '../../flows/compile/slice-builder.js';
import { ManualClock } from './manual-clock.js';

const records: CompileRecord[] = [
  network('a', 1),
  iface('vm', 2),
  macLease('vm', '0a:00:00:00:00:01'),
  localPort('vm', 3),
  ipLease('vm', 'a', '10.0.1.5'),
];

const compileAll = (all: readonly CompileRecord[]): bigint => {
  const compiler = createCompiler();
  compiler.update(all, []);
  return digestOf(compiler.tables);
};

/** Runs a few checks of these states. @returns what was counted, said and done */
async function checked(states: readonly { readonly digest: bigint }[], compile = compileAll) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const said: string[] = [];
  let overs = 0;
  let turn = 0;
  const say = (_: object, message: string) => void said.push(message);
  const check = new CompileCheck({
    periodMs: 1_000,
    state: () => states[turn++] && { records, digest: states[turn - 1]!.digest },
    compile: (all) => Promise.resolve().then(() => compile(all)),
    startOver: () => {
      overs++;
    },
    clock,
    random: () => 0.5,
    log: { info: say, warn: say, error: say },
  });
  const running = check.run(stop.signal);
  for (let i = 0; i <= states.length; i++) await clock.advance(1_000);
  stop.abort();
  await clock.advance(1_000);
  await running;
  return { ...check.counters, said: said.length, overs };
}

describe('the check of what is compiled', () => {
  it('is content while changes have led to what compiling all at once leads to', async () => {
    const compiler = createCompiler();
    for (const record of records) compiler.update([record], []);
    expect(await checked([{ digest: digestOf(compiler.tables) }, { digest: digestOf(compiler.tables) }])).toEqual({
      checked: 2,
      mismatches: 0,
      said: 0,
      overs: 0,
    });
  });

  it('says and counts a difference, and has all compiled anew', async () => {
    expect(await checked([{ digest: compileAll(records.slice(0, -1)) }])).toEqual({ checked: 1, mismatches: 1, said: 1, overs: 1 });
  });

  it('takes a failure for no difference, and says it once', async () => {
    const fail = (): bigint => {
      throw new Error('no memory');
    };
    expect(await checked([{ digest: 1n }, { digest: 1n }], fail)).toEqual({ checked: 0, mismatches: 0, said: 1, overs: 0 });
  });
});
