/**
 * Making a directory with those above it.
 *
 * mkdirSync with `recursive` never returns where a directory refuses to have children (/proc) (seen on Node 20.20).
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Does nothing when it is there. Throws the system's error. */
export function makeDirectory(path: string, mode: number): void {
  const full = resolve(path);
  try {
    mkdirSync(full, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(full).isDirectory()) return;
    if (code !== 'ENOENT' || existsSync(dirname(full))) throw error;
    makeDirectory(dirname(full), mode);
    mkdirSync(full, { mode });
  }
}
