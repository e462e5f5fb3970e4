/**
 * What processes cost.
 *
 * Owns: CPU seconds and memory of a set of processes, from /proc.
 */
import { readFileSync } from 'node:fs';

/** Pids by role. */
export type Roles = Readonly<Record<string, readonly number[]>>;

export interface Cost {
  /** User and system, of all processes of the role. */
  readonly cpuSeconds: number;
  /** Of the largest process of the role, now. */
  readonly rssMegabytes: number;
}

/** USER_HZ: what /proc counts in. */
const TICKS_PER_SECOND = 100;

export function costOf(roles: Roles): Readonly<Record<string, Cost>> {
  return Object.fromEntries(
    Object.entries(roles).map(([role, pids]) => {
      const cpuSeconds = pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
      return [role, { cpuSeconds, rssMegabytes: Math.max(...pids.map(rssOf)) }];
    }),
  );
}

/** CPU seconds of each role between two looks. */
export function cpuBetween(
  before: Readonly<Record<string, Cost>>,
  after: Readonly<Record<string, Cost>>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(after).map(([role, { cpuSeconds }]) => [role, cpuSeconds - (before[role]?.cpuSeconds ?? 0)]));
}

function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function rssOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
