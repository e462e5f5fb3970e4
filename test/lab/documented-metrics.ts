/**
 * The metrics that docs/operations/monitoring.md lists, and those a process shows.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from './hotori.js';

/** Sorted names. @param roles of any of these */
export function documentedMetrics(...roles: readonly string[]): string[] {
  const text = readFileSync(path.join(repositoryRoot(), 'docs/operations/monitoring.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(hotori_\w+)` \| \w+ \| [^|]*\| ([^|]*) \|/gm)];
  return rows
    .filter(([, , of]) => of!.split(', ').some((role) => roles.includes(role)))
    .map(([, name]) => name!)
    .sort();
}

/** Sorted names of what is in an answer of `/metrics`, but for what every Node.js process has. */
export function shownMetrics(text: string): string[] {
  const names = [...text.matchAll(/^# TYPE (hotori_\w+) /gm)].map(([, name]) => name!);
  return names.filter((name) => !/^hotori_(process|nodejs)_/.test(name)).sort();
}
