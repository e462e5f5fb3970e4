/**
 * Which datapath hears of which scope.
 *
 * Owns: the interest of every datapath, counted, and what the update under way has begun and ended of it.
 * Promises: what there is of an audience is worked out once an update for all records that come from the same scopes and go to the same.
 */
import { Counted } from './counted.js';
import type { Scope, Scopes } from './scopes.js';

/** A datapath that heard of some scopes before an update, or hears of others after it. */
export interface Hearer {
  readonly datapath: string;
  readonly heard: boolean;
  readonly hears: boolean;
}

/** Scopes a datapath has begun and ceased to be interested in. */
interface Shift {
  readonly gained: Set<Scope>;
  readonly lost: Set<Scope>;
}

const NO_SHIFT: Shift = { gained: new Set(), lost: new Set() };

export class Interest {
  private readonly scopes = new Counted<string, Scope>();
  private readonly listeners = new Counted<Scope, string>();
  private readonly shifts = new Map<string, Shift>();
  /** Who has ceased to be interested in a scope with the update. */
  private leavers = new Counted<Scope, string>();
  /** By the scopes before and after. */
  private readonly audiences = new Map<Scopes, Map<Scopes, readonly Hearer[]>>();

  /** Starts an update. */
  begin(): void {
    this.shifts.clear();
    this.leavers = new Counted();
    this.audiences.clear();
  }

  count(datapath: string, scope: Scope, by: 1 | -1): void {
    if (!this.scopes.add(datapath, scope, by)) return;
    this.listeners.add(scope, datapath, by);
    let shift = this.shifts.get(datapath);
    if (shift === undefined) this.shifts.set(datapath, (shift = { gained: new Set(), lost: new Set() }));
    if (by === 1 && shift.lost.delete(scope)) this.leavers.add(scope, datapath, -1);
    else if (by === 1) shift.gained.add(scope);
    else if (!shift.gained.delete(scope)) {
      shift.lost.add(scope);
      this.leavers.add(scope, datapath, 1);
    }
  }

  scopesOf(datapath: string): Iterable<Scope> {
    return this.scopes.get(datapath).keys();
  }

  listenersOf(scope: Scope): Iterable<string> {
    return this.listeners.get(scope).keys();
  }

  /** What changes with the update, per datapath. */
  shifted(): ReadonlyMap<string, Shift> {
    return this.shifts;
  }

  /** Datapaths that hear of a scope or did before the update. */
  *everConcerned(scope: Scope): Generator<string> {
    yield* this.listenersOf(scope);
    yield* this.leavers.get(scope).keys();
  }

  /** Whether two datapaths have an interest in common. */
  isShared(a: string, b: string): boolean {
    for (const scope of this.scopesOf(a)) if (this.scopes.has(b, scope)) return true;
    return false;
  }

  /** Whether two datapaths had one before the update. */
  wasShared(a: string, b: string): boolean {
    for (const scope of this.scopesOf(a)) if (this.had(a, scope) && this.had(b, scope)) return true;
    for (const scope of this.shiftOf(a).lost) if (this.had(b, scope)) return true;
    return false;
  }

  /** Whom a record concerns that was in some scopes and is in others. No interest is counted any more in this update. */
  audience(was: Scopes, is: Scopes): readonly Hearer[] {
    let byIs = this.audiences.get(was);
    if (byIs === undefined) this.audiences.set(was, (byIs = new Map<Scopes, readonly Hearer[]>()));
    let audience = byIs.get(is);
    if (audience === undefined) byIs.set(is, (audience = this.findAudience(was, is)));
    return audience;
  }

  private findAudience(was: Scopes, is: Scopes): Hearer[] {
    const datapaths = new Set<string>();
    for (const scope of new Set([...was, ...is])) for (const datapath of this.everConcerned(scope)) datapaths.add(datapath);
    return Array.from(datapaths, (datapath) => ({
      datapath,
      heard: was.some((scope) => this.had(datapath, scope)),
      hears: is.some((scope) => this.scopes.has(datapath, scope)),
    }));
  }

  private had(datapath: string, scope: Scope): boolean {
    const { gained, lost } = this.shiftOf(datapath);
    return this.scopes.has(datapath, scope) ? !gained.has(scope) : lost.has(scope);
  }

  private shiftOf(datapath: string): Shift {
    return this.shifts.get(datapath) ?? NO_SHIFT;
  }
}
