/**
 * Splitting the text form: lists with nested parentheses.
 */
import { TextError } from './text-error.js';

/** Deeper nesting is refused: no flow needs it, and it would be the parser's stack. */
const MAX_DEPTH = 64;

/** Splits at separators that are in no parentheses or brackets. Empty parts are left out. */
export function splitTop(text: string, separators: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === '(' || char === '[') depth += 1;
    else if (char === ')' || char === ']') depth -= 1;
    else if (depth === 0 && separators.includes(char)) {
      if (i > from) parts.push(text.slice(from, i));
      from = i + 1;
    }
    if (depth < 0) throw new TextError(text, 'a closing parenthesis without an opening one');
    if (depth > MAX_DEPTH) throw new TextError(text, `parentheses nested deeper than ${MAX_DEPTH}`);
  }
  if (depth !== 0) throw new TextError(text, 'a parenthesis that is not closed');
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

/** `name`, `name:argument`, `name=argument`, `name(argument)` and `name(argument)rest`. */
export interface Token {
  readonly name: string;
  /** Behind the colon or equals sign, or inside the parentheses; undefined for a bare name. */
  readonly argument: string | undefined;
  /** Behind the closing parenthesis. */
  readonly rest: string;
}

export function tokenOf(text: string): Token {
  const at = text.search(/[:=(]/);
  if (at < 0) return { name: text, argument: undefined, rest: '' };
  const name = text.slice(0, at);
  if (text[at] !== '(') return { name, argument: text.slice(at + 1), rest: '' };
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    if (text[i] === '(') depth += 1;
    else if (text[i] === ')' && --depth === 0) return { name, argument: text.slice(at + 1, i), rest: text.slice(i + 1) };
  }
  throw new TextError(text, 'a parenthesis that is not closed');
}

/** `a=b` or `a:b` parts of a list, by name; bare names map to the empty string. */
export function keyValues(text: string): [name: string, value: string][] {
  return splitTop(text, ', ').map((part) => {
    const { name, argument = '', rest } = tokenOf(part);
    return [name, part[name.length] === '(' ? `(${argument})${rest}` : argument];
  });
}
