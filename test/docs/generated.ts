/**
 * Parts of the documentation that are made from the code.
 *
 * A part stands between `<!-- generated: NAME -->` and `<!-- end -->`. The test fails when it is stale; run with UPDATE_DOCS=1 to rewrite it.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);

/** Compares the named part of a file under docs/ (or the README) with what the code says now. */
export function expectGenerated(file: string, name: string, text: string): void {
  const url = new URL(file, root);
  const content = readFileSync(url, 'utf8');
  const open = `<!-- generated: ${name} -->\n`;
  const start = content.indexOf(open);
  const end = content.indexOf('<!-- end -->', start);
  if (start < 0 || end < 0) throw new Error(`${file} has no generated part named ${name}`);
  const fresh = `${content.slice(0, start + open.length)}${text.trimEnd()}\n${content.slice(end)}`;
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(url, fresh);
  else expect(content).toBe(fresh);
}

export function markdownTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
