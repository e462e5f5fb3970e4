/**
 * The learn action from text.
 */
import type { Action, LearnSpec } from './action.js';
import { FIELDS } from './fields.js';
import type { Subfield } from './match.js';
import { TextError } from './text-error.js';
import { splitTop, tokenOf } from './text-tokens.js';
import { fieldByLabel, parseBig, parseFieldValue, parseNumber, parseSubfield } from './text-value.js';

type LearnAction = Extract<Action, { kind: 'learn' }>;

const NUMBERS: Readonly<
  Record<
    string,
    {
      readonly key: 'idle_timeout' | 'hard_timeout' | 'fin_idle_timeout' | 'fin_hard_timeout' | 'priority' | 'table' | 'limit';
      readonly bits: number;
    }
  >
> = {
  idle_timeout: { key: 'idle_timeout', bits: 16 },
  hard_timeout: { key: 'hard_timeout', bits: 16 },
  fin_idle_timeout: { key: 'fin_idle_timeout', bits: 16 },
  fin_hard_timeout: { key: 'fin_hard_timeout', bits: 16 },
  priority: { key: 'priority', bits: 16 },
  table: { key: 'table', bits: 8 },
  limit: { key: 'limit', bits: 32 },
};

export function parseLearn(text: string): LearnAction {
  const action: { -readonly [K in keyof LearnAction]: LearnAction[K] } = {
    kind: 'learn',
    idle_timeout: 0,
    hard_timeout: 0,
    priority: 32768,
    cookie: 0n,
    flags: 0,
    table: 1,
    fin_idle_timeout: 0,
    fin_hard_timeout: 0,
    specs: [],
  };
  const specs: LearnSpec[] = [];
  for (const part of splitTop(text, ', ')) {
    const { name, argument } = tokenOf(part);
    const number = Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined;
    if (number !== undefined) action[number.key] = parseNumber(argument ?? '', number.bits);
    else if (part === 'send_flow_rem') action.flags |= 1;
    else if (part === 'delete_learned') action.flags |= 2;
    else if (name === 'cookie') action.cookie = parseBig(argument ?? '', 64);
    else if (name === 'result_dst') action.result_dst = parseSubfield(argument ?? '');
    else specs.push(parseSpec(part));
  }
  return { ...action, specs };
}

function parseSpec(text: string): LearnSpec {
  if (text.startsWith('output:')) return { kind: 'output', src: parseSubfield(text.slice('output:'.length)) };
  if (text.startsWith('load:')) {
    const [src, dst] = text.slice('load:'.length).split('->', 2);
    if (dst === undefined) throw new TextError(text, '-> expected');
    return spec('load', src!, parseSubfield(dst));
  }
  const at = text.indexOf('=');
  if (at < 0) {
    const dst = parseSubfield(text);
    return { kind: 'match', src: dst, dst };
  }
  return spec('match', text.slice(at + 1), parseSubfield(text.slice(0, at)));
}

/** The source is a number, a value as the whole field writes it, or another subfield. */
function spec(kind: 'match' | 'load', src: string, dst: Subfield): LearnSpec {
  const field = FIELDS[dst.field];
  if (dst.offset === 0 && dst.bits === field.bits && kind === 'match' && !isSubfield(src)) {
    return { kind, src: BigInt(parseFieldValue(field, src).value as number | bigint), dst };
  }
  if (/^[0-9]/.test(src)) return { kind, src: parseBig(src, dst.bits), dst };
  const from = parseSubfield(src);
  return { kind, src: from.bits === dst.bits ? from : { ...from, bits: dst.bits }, dst };
}

function isSubfield(text: string): boolean {
  return fieldByLabel(text.replace(/\[.*$/, '')) !== undefined;
}
