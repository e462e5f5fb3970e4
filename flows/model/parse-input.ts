/**
 * Checking what a user sent against the schemas of inputs.ts.
 *
 * Promises: every complaint is there, each with a JSON pointer to the value it is about, in words for the user; unknown parameters one by one.
 */
import type { z } from 'zod';
import type { UserKind } from './entities.js';
import type { ErrorCode, Reason } from './errors.js';
import { wordsOf } from './issue-words.js';
import { INPUTS, type CreateInput, type UpdateInput } from './inputs.js';

export interface InputReason extends Reason {
  readonly code: Extract<ErrorCode, 'invalid_argument' | 'missing_argument' | 'invalid_uuid'>;
}

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reasons: readonly InputReason[] };

export function parseCreate<K extends UserKind>(kind: K, params: unknown): Parsed<CreateInput<K>> {
  return parseParameters(INPUTS[kind].create, params, () => `${kind} has no such parameter`) as Parsed<CreateInput<K>>;
}

export function parseUpdate<K extends UserKind>(kind: K, params: unknown): Parsed<UpdateInput<K>> {
  const fixed = INPUTS[kind].create.shape;
  return parseParameters(INPUTS[kind].update, params, (key) =>
    key in fixed ? `is fixed when the ${kind} is created` : `${kind} has no such parameter`,
  ) as Parsed<UpdateInput<K>>;
}

/** RFC 6901. */
export function pointer(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

type Issue = z.core.$ZodIssue;

/** @param unknownKey says why a parameter the schema does not have is not possible. */
export function parseParameters(schema: z.ZodObject, params: unknown, unknownKey: (key: string) => string): Parsed<unknown> {
  const result = schema.safeParse(params);
  if (result.success) return { ok: true, value: result.data };
  const reasons = result.error.issues.flatMap((issue) => reasonsOf(issue, [], params, unknownKey));
  return { ok: false, reasons };
}

function reasonsOf(issue: Issue, base: readonly PropertyKey[], params: unknown, unknownKey: (key: string) => string): InputReason[] {
  const path = [...base, ...issue.path];
  const at = pointer(path);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      code: 'invalid_argument',
      pointer: pointer([...path, key]),
      detail: path.length === 0 ? unknownKey(key) : 'there is no such field',
    }));
  if (valueAt(params, path) === undefined) return [{ code: 'missing_argument', pointer: at, detail: 'is required' }];
  if (issue.code === 'invalid_union') {
    // The alternative the user meant is the one that knows all keys and misses none.
    const meant = issue.errors.find(
      (issues) => !issues.some((one) => one.path.length === 0 || valueAt(params, [...path, ...one.path]) === undefined),
    );
    if (meant) return meant.flatMap((one) => reasonsOf(one, path, params, unknownKey));
    return [{ code: 'invalid_argument', pointer: at, detail: wordsOf(issue) }];
  }
  const name = String(path.at(-1) ?? '');
  const isUuid = issue.code === 'invalid_format' && (name.endsWith('uuid') || String(path.at(-2)).endsWith('_uuids'));
  return [{ code: isUuid ? 'invalid_uuid' : 'invalid_argument', pointer: at, detail: wordsOf(issue) }];
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, step) => (at !== null && typeof at === 'object' ? (at as Record<PropertyKey, unknown>)[step] : undefined),
    value,
  );
}
