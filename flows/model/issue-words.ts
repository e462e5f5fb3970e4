/**
 * Complaints of schemas in the user's words.
 */
import type { z } from 'zod';

const TYPES: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  string: 'text',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** What is wrong, as the rest of a sentence that begins with the field. */
export function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_small') return `must ${amount(issue.origin, 'at least', issue.minimum)}`;
  if (issue.code === 'too_big') return `must ${amount(issue.origin, 'at most', issue.maximum)}`;
  if (issue.code === 'invalid_type') return `must be ${TYPES[issue.expected] ?? issue.expected}`;
  if (issue.code === 'invalid_value')
    return `must be ${issue.values
      .map(String)
      .join(', ')
      .replace(/, ([^,]*)$/, ' or $1')}`;
  return issue.message;
}

function amount(origin: string, bound: string, limit: number | bigint): string {
  if (origin === 'string') return `have ${bound} ${limit} characters`;
  if (origin === 'array') return `have ${bound} ${limit} items`;
  return `be ${bound} ${limit}`;
}
