/**
 * The version of the program.
 */
import { readFileSync } from 'node:fs';

/** @param from a module of the program (`import.meta.url`): the nearest package.json above it says the version. */
export function readVersion(from: string): string {
  for (let url = new URL('./package.json', from); ; url = new URL('../package.json', url)) {
    try {
      return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version;
    } catch (error) {
      if (url.pathname === '/package.json') throw error;
    }
  }
}
