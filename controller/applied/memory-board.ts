/**
 * The board of vnmgrs that share a process.
 */
import { callOut } from '../kernel/call-out.js';
import { AppliedRows, type Applied, type AppliedBoard } from './board.js';

export class MemoryAppliedBoard implements AppliedBoard {
  private readonly rows = new AppliedRows();
  private readonly watchers = new Set<(datapath_uuid: string) => void>();
  private readonly refreshers = new Set<() => void>();

  get(datapath_uuid: string): Applied | undefined {
    return this.rows.get(datapath_uuid);
  }

  publish(applied: Applied): void {
    this.rows.set(applied);
    this.tell(applied.datapath_uuid);
  }

  forget(datapath_uuid: string, served_by: string): void {
    this.rows.delete(datapath_uuid, served_by);
    this.tell(datapath_uuid);
  }

  watch(sink: (datapath_uuid: string) => void, signal: AbortSignal): void {
    keep(this.watchers, sink, signal);
  }

  refresh(): void {
    for (const sink of [...this.refreshers]) callOut(sink);
  }

  onRefresh(sink: () => void, signal: AbortSignal): void {
    keep(this.refreshers, sink, signal);
  }

  private tell(datapath_uuid: string): void {
    for (const sink of [...this.watchers]) callOut(() => sink(datapath_uuid));
  }
}

function keep<T>(set: Set<T>, one: T, signal: AbortSignal): void {
  if (signal.aborted) return;
  set.add(one);
  signal.addEventListener('abort', () => set.delete(one), { once: true });
}
