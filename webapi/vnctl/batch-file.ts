/**
 * `vnctl batch`: a file of vnctl commands, one on a line.
 *
 * Owns: quoting (`'…'`, `"…"`, backslash), comments from `#`.
 */
import { CliError, EXIT } from './io.js';

export interface BatchLine {
  readonly number: number;
  readonly text: string;
  readonly argv: readonly string[];
}

/** @throws CliError naming the lines that cannot be split. */
export function readBatch(name: string, text: string): BatchLine[] {
  const lines: BatchLine[] = [];
  const complaints: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const argv = splitWords(line);
    if (argv === undefined) complaints.push(`${name}:${index + 1}: a quote is not closed`);
    else if (argv[0] === 'batch') complaints.push(`${name}:${index + 1}: batch cannot stand in a batch`);
    else if (argv.length > 0) lines.push({ number: index + 1, text: line.trim(), argv: argv[0] === 'vnctl' ? argv.slice(1) : argv });
  }
  if (complaints.length > 0) throw new CliError(EXIT.usage, complaints);
  return lines;
}

/** undefined when a quote is not closed. */
function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    if (quote === '' && char === '#' && word === undefined) break;
    if (quote === '' && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (quote === '' && (char === '"' || char === "'")) {
      quote = char;
      word ??= '';
    } else if (char === quote) quote = '';
    else if (char === '\\' && quote !== "'" && at + 1 < line.length) word = (word ?? '') + line[++at]!;
    else word = (word ?? '') + char;
  }
  if (quote !== '') return undefined;
  return word === undefined ? words : [...words, word];
}
