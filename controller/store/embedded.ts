import type { Random } from '../kernel/ambient.js';
import type { Store } from './contract.js';

export interface EmbeddedStoreOptions {
  /** Directory on a local file system; made when absent. */
  readonly dir: string;
  /** Names the incarnation of a new store. */
  readonly random: Random;
}

/** Opens the store in a directory, for this process alone. Throws StoreError `locked`, `newer_schema`, `corrupt` or `failed`. */
export function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  return Promise.reject(new Error(`not built yet: ${options.dir}`));
}
