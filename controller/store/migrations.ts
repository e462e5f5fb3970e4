/**
 * Bringing what is stored to the schema of this version.
 *
 * Owns: the steps between versions.
 * Promises: a store is migrated as a whole, in one revision, or not at all; the log does not reach back across a migration.
 */
import { STORE_SCHEMA_VERSION } from './contract.js';

export interface StoreSchema {
  readonly version: number;
  /** The first turns an entity of version 1 into one of version 2, and so on; one less than `version`. */
  readonly steps: readonly ((entity: unknown) => unknown)[];
}

/** Entities of version 1 lack what version 2 added, all of which has a default: reading one as an entity of this version supplies it. */
const supplyDefaults = (entity: unknown): unknown => entity;

export const STORE_SCHEMA: StoreSchema = { version: STORE_SCHEMA_VERSION, steps: [supplyDefaults] };

/** An entity of that version as one of the schema's. */
export function migrated({ steps }: StoreSchema, from: number, entity: unknown): unknown {
  return steps.slice(from - 1).reduce((value, step) => step(value), entity);
}
