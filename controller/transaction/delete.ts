/**
 * Deleting entities.
 *
 * Promises: children go with their owner; other referrers stay, and refuse the delete at the end of the transaction, unless it cascades.
 */
import { isUserEntity } from '../../flows/model/entities.js';
import { referencesTo } from '../../flows/model/references.js';
import { referrers } from '../../flows/model/view.js';
import type { Workspace } from './workspace.js';

/** Deletes an entity that exists. @returns the uuids deleted that users know, its own first. */
export function deleteEntity(work: Workspace, uuid: string, cascade: boolean): string[] {
  const deleted: string[] = [];
  const pending = [uuid];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const entity = work.draft.get(next);
    if (entity === undefined) continue;
    work.delete(next);
    if (isUserEntity(entity)) deleted.push(next);
    for (const reference of referencesTo(entity.kind))
      for (const referrer of [...referrers(work.draft, reference.from, next)]) {
        // A kind may refer to another by several fields.
        if (!reference.targets(referrer).includes(next)) continue;
        if (reference.on_delete === 'goes_along' || (cascade && !reference.release)) pending.push(referrer.uuid);
        else if (reference.release && (cascade || reference.lets_go?.(referrer))) work.put(reference.release(referrer, next));
      }
  }
  return deleted;
}
