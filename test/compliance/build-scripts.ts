/**
 * Scripts of the tests that run as processes of their own.
 */
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { transform } from '@swc/core';

const ROOT = join(import.meta.dirname, '../..');
const FOLDERS = [
  'flows/net',
  'flows/model',
  'controller/kernel',
  'controller/messages',
  'controller/redis',
  'controller/store',
  'test/compliance',
  'test/lab',
];

/** Everything a process that uses a store needs, as JavaScript, under node_modules so that packages are found. @returns the directory */
export async function buildScripts(): Promise<string> {
  await mkdir(join(ROOT, 'node_modules/.cache'), { recursive: true });
  const out = await mkdtemp(join(ROOT, 'node_modules/.cache/hotori-crash-'));
  await writeFile(join(out, 'package.json'), '{"type": "module"}');
  for (const folder of FOLDERS)
    for (const file of await readdir(join(ROOT, folder), { recursive: true })) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
      const source = await readFile(join(ROOT, folder, file), 'utf8');
      const { code } = await transform(source, { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' } });
      const target = join(out, folder, file.replace(/\.ts$/, '.js'));
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, code);
    }
  return out;
}
