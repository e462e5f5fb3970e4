import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDirectory } from '../../../controller/kernel/make-directory.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hotori-mkdir-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('makeDirectory', () => {
  it('makes what is missing and takes what is there', () => {
    const path = join(dir, 'a/b/c');
    makeDirectory(path, 0o700);
    makeDirectory(path, 0o700);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it.each([
    ['a file', 'file', 'EEXIST'],
    ['a place below a file', 'file/a', 'ENOTDIR'],
  ])('refuses %s', (_, name, code) => {
    writeFileSync(join(dir, 'file'), '');
    expect(() => makeDirectory(join(dir, name), 0o700)).toThrow(expect.objectContaining({ code }));
  });

  it('refuses a place where nothing can be made', () => {
    expect(() => makeDirectory('/proc/hotori/state', 0o700)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});
