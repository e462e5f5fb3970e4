/**
 * Kinds and types in words, for the API description, the command line and the docs.
 */
import { z } from 'zod';
import type { UserKind } from '../flows/model/entities.js';

/** `ip_lease` → `an ip lease`. */
export function nounOf(kind: UserKind): string {
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind.replaceAll('_', ' ')}`;
}

/** What a parameter is, as short as on a command line: `text`, `number`, `boolean`, `a|b`, `a,b,…`, `json`. */
export function typeOf(field: z.ZodType): string {
  if (field instanceof z.ZodOptional || field instanceof z.ZodNullable || field instanceof z.ZodDefault)
    return typeOf(field.unwrap() as z.ZodType);
  if (field instanceof z.ZodBoolean) return 'boolean';
  if (field instanceof z.ZodNumber) return 'number';
  if (field instanceof z.ZodEnum) return field.options.join('|');
  if (field instanceof z.ZodLiteral) return [...field.values].join('|');
  if (field instanceof z.ZodArray) return typeOf(field.element as z.ZodType) === 'json' ? 'json' : 'a,b,…';
  if (field instanceof z.ZodObject || field instanceof z.ZodUnion) return 'json';
  return 'text';
}
