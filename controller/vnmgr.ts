import type { Controller, ExecuteResult, InstalledResult, ListPage, Status } from './contract.js';
import type { Clock, Random } from './kernel/ambient.js';
import type { Revision, SliceAttachment, SliceSource } from './messages/slice.js';
import type { Store } from './store/contract.js';

export interface VnmgrOptions {
  /** Shown in the status. */
  readonly version: string;
  /** Register a datapath that attaches and is not defined. */
  readonly autoRegister: boolean;
}

export interface VnmgrParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: VnmgrOptions;
}

export class Vnmgr implements Controller, SliceSource {
  /** Loads the model from the store. */
  static async start(parts: VnmgrParts): Promise<Vnmgr> {
    await parts.store.load();
    return new Vnmgr();
  }
  execute(): Promise<ExecuteResult> {
    throw new Error('not built yet');
  }
  get(): undefined {
    throw new Error('not built yet');
  }
  list(): ListPage {
    throw new Error('not built yet');
  }
  revision(): Revision {
    throw new Error('not built yet');
  }
  status(): Status {
    throw new Error('not built yet');
  }
  waitInstalled(): Promise<InstalledResult> {
    throw new Error('not built yet');
  }
  watch(): void {
    throw new Error('not built yet');
  }
  attach(): Promise<SliceAttachment> {
    throw new Error('not built yet');
  }
  /** Finishes what is being committed and stops; the store stays open. */
  close(): Promise<void> {
    throw new Error('not built yet');
  }
}
