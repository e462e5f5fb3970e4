/**
 * The processes of the simulation, as seen from both ends.
 *
 * Owns: starting one with its part of the plan, and the message by which it says that it is ready.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import type { ScalePlan } from './plan.js';

/** As the `hotori` executable has it. */
const NODE_ARGS = ['--max-semi-space-size=64'];

export interface Part {
  readonly plan: ScalePlan;
  /** The datapaths this process is for. */
  readonly from: number;
  readonly to: number;
}

/** Resolves with what the process says once it is ready. */
export async function startChild(role: 'controller' | 'switches' | 'vna', part: Part): Promise<{ child: ChildProcess; said: string }> {
  const log = openSync(`${part.plan.dir}/${role}-${part.from}.log`, 'a');
  const child = fork(new URL(`./${role}.js`, import.meta.url), [JSON.stringify(part)], {
    execArgv: [...process.execArgv, ...NODE_ARGS],
    stdio: ['ignore', log, log, 'ipc'],
  });
  const said = await new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve(message as string));
    child.once('exit', (code) => reject(new Error(`${role} ended with ${code}; see ${part.plan.dir}`)));
  });
  return { child, said };
}

/** Called by the process itself. It ends with the one that started it. */
export function partOfThisProcess(): Part {
  process.once('disconnect', () => process.exit(0));
  return JSON.parse(process.argv[2] ?? '') as Part;
}

export function sayReady(what = ''): void {
  process.send?.(what);
}
