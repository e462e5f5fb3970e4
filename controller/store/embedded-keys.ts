/**
 * Keys of the embedded store: `meta`, `['e', uuid]` for an entity, `['l', revision]` for a change of the log.
 */
import type { Key } from 'lmdb';

export const META = 'meta';
export const entityKey = (uuid: string): Key => ['e', uuid];
export const logKey = (revision: number): Key => ['l', revision];

export const ALL_ENTITIES = { start: ['e', ''], end: ['e', '\uffff'] };
export const ALL_OF_LOG = { start: ['l', 0], end: ['l', Number.MAX_SAFE_INTEGER] };
