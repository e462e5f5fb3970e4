/**
 * What the vna of a host is called over its restarts.
 *
 * Owns: a file with a name made by chance, and the lock of the process that runs under it.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Random } from '../../controller/kernel/ambient.js';

/** Another vna runs with the same state directory. The message is for an operator. */
export class InstanceError extends Error {
  override readonly name = 'InstanceError';
}

const NAME = /^[0-9a-f]{32}$/;

/** Throws InstanceError, or the system's error. */
export function readInstance(dir: string, random: Random): string {
  lock(path.join(dir, 'vna.pid'));
  const file = path.join(dir, 'vna.id');
  const found = readText(file)?.trim();
  if (found !== undefined && NAME.test(found)) return found;
  const name = Buffer.from(random.bytes(16)).toString('hex');
  writeFileSync(file, `${name}\n`, { mode: 0o600 });
  return name;
}

/** A process is known by its pid and when it was started: pids come again. */
function lock(file: string): void {
  const holder = readText(file)?.trim();
  if (holder !== undefined && holder !== identityOf(process.pid) && holder === identityOf(Number(holder.split(' ', 1)[0])))
    throw new InstanceError(`another vna (process ${holder.split(' ', 1)[0]}) keeps its state in ${path.dirname(file)}`);
  rmSync(file, { force: true });
  writeFileSync(file, `${identityOf(process.pid)}\n`, { mode: 0o600 });
}

/** undefined when there is no such process. */
function identityOf(pid: number): string | undefined {
  const stat = Number.isInteger(pid) ? readText(`/proc/${pid}/stat`) : undefined;
  // The second field may hold blanks and parentheses; the start time is the 22nd.
  const started = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return started === undefined ? undefined : `${pid} ${started}`;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
