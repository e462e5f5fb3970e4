/**
 * Revisions as text.
 *
 * Owns: `42`, and `INCARNATION:42` where a number alone could mean two things (a store restored from a backup starts a new incarnation).
 */
import type { Revision } from '../../controller/messages/slice.js';
import { HotoriError } from '../../flows/model/errors.js';

const REVISION = /^(?:([^:\s]{1,64}):)?(0|[1-9]\d{0,15})$/;

/** For schemas of parameters. */
export const REVISION_PATTERN = REVISION;

/** @returns the number. Throws HotoriError `compacted` when the revision is of another incarnation. */
export function resolveRevision(text: string, current: Revision): number {
  const [, incarnation, digits] = REVISION.exec(text)!;
  if (incarnation !== undefined && incarnation !== current.incarnation)
    throw new HotoriError('compacted', `revision ${text} is of another incarnation of the store; list again and go on from there`);
  return Number(digits);
}

export function revisionText(revision: Revision): string {
  return `${revision.incarnation}:${revision.number}`;
}
