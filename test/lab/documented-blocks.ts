/**
 * Code blocks of the documentation, for tests that run them.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from './hotori.js';

/** The blocks of a file under docs/ whose fence says this, such as `sh run`; an error where there is none. */
export function documentedBlocks(file: string, fence: string): string[] {
  const text = readFileSync(path.join(repositoryRoot(), 'docs', file), 'utf8');
  const blocks = [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].flatMap(([, info, body]) => (info === fence ? [body!] : []));
  if (blocks.length === 0) throw new Error(`docs/${file} has no block of ${fence}`);
  return blocks;
}

/** Commands of a block in which each is led by `$ `, with what is shown to come of it. */
export function shownCommands(block: string): { readonly command: string; readonly output: string }[] {
  return block
    .split(/^\$ /m)
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const [command, ...output] = part.split('\n');
      return { command: command!, output: output.join('\n').trim() };
    });
}
