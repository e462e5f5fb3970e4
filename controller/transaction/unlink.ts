/**
 * Deleting what belongs to an entity by what it says, as OpenVNet's relations are deleted.
 *
 * Promises: everything that matches goes, and nothing else; that nothing matches is refused.
 */
import { KINDS } from '../../flows/model/entities.js';
import { ownPlace } from '../../flows/model/places.js';
import { referrers } from '../../flows/model/view.js';
import type { Operation, Params } from '../contract.js';
import { deleteEntity } from './delete.js';
import type { Workspace } from './workspace.js';

/** @returns the uuids deleted, and that of an interface that lost its own place. */
export function unlink(work: Workspace, { kind, of, where }: Extract<Operation, { verb: 'unlink' }>): string[] {
  const owner = work.draft.get(of);
  if (owner === undefined) {
    if (!work.isStillborn(of)) work.refuse('unknown_uuid', [], `there is no ${of}`, of);
    return [];
  }
  const removed: string[] = [];
  if (kind === 'interface_port' && owner.kind === 'interface') {
    const place = ownPlace(owner);
    if (place && matches({ ...place, singular: true }, where)) {
      work.put({ ...owner, owner_datapath_uuid: null, port_name: null });
      removed.push(of);
    }
  }
  for (const row of [...referrers(work.draft, kind, of)]) if (matches(row, where)) removed.push(...deleteEntity(work, row.uuid, false));
  if (removed.length === 0) {
    const terms = Object.entries(where).map(([field, value]) => `${field} ${String(value)}`);
    work.refuse(
      'unknown_uuid',
      [],
      `${of} has none of its ${KINDS[kind].collection} ${terms.length > 0 ? `with ${terms.join(', ')}` : ''}`.trimEnd(),
      of,
    );
  }
  return removed;
}

function matches(row: object, where: Params): boolean {
  return Object.entries(where).every(([field, value]) => (row as Record<string, unknown>)[field] === value);
}
