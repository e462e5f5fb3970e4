/**
 * Requests that are in the store.
 *
 * Owns: the ids of the last LIMIT requests committed, with what they came to.
 */
import type { StoredChange } from '../store/contract.js';

const LIMIT = 20_000;

export interface KnownRequest {
  readonly revision: number;
  /** One per operation: the uuid created or updated, or the uuids deleted. */
  readonly outcomes: readonly (string | readonly string[])[];
}

export class KnownRequests {
  private readonly byId = new Map<string, KnownRequest>();

  get(id: string): KnownRequest | undefined {
    return this.byId.get(id);
  }

  note({ revision, requests }: StoredChange): void {
    for (const { id, outcomes } of requests) this.byId.set(id, { revision, outcomes });
    for (const id of this.byId.keys()) {
      if (this.byId.size <= LIMIT) break;
      this.byId.delete(id);
    }
  }

  clear(): void {
    this.byId.clear();
  }
}
