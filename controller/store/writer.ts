/**
 * Who writes an embedded store.
 *
 * Owns: telling a process that still runs from one that is gone.
 * Assumes: Linux; the processes concerned see one another (one host, one PID namespace). Where they do not, the epoch checked in every commit
 * keeps a second writer out.
 */
import { readFileSync } from 'node:fs';

export interface Writer {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process: a reused pid has another. */
  readonly started: string;
  readonly boot: string;
}

export function thisWriter(): Writer {
  return { pid: process.pid, started: startOf(process.pid) ?? '', boot: bootId() };
}

export function isRunning(writer: Writer): boolean {
  return writer.boot === bootId() && startOf(writer.pid) === writer.started;
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

/** Field 22 of proc_pid_stat(5); undefined for a process that is not there. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field may hold spaces and brackets; what follows its last bracket does not.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : fields[18];
  } catch {
    return undefined;
  }
}
