/**
 * What became of modifications that were sent to the switch.
 *
 * Owns: a count for each kind of modification and each end it came to.
 */
import type { TableMod } from '../channel/contract.js';
import type { BundleError } from '../channel/errors.js';

/** `undone`: the bundle it was in was refused because of another one. */
export type OperationResult = 'done' | 'refused' | 'undone';

export interface OperationCount {
  readonly op: TableMod['kind'];
  readonly result: OperationResult;
  readonly count: number;
}

export class Operations {
  readonly #counts = new Map<TableMod['kind'], Map<OperationResult, number>>();

  /** One bundle, applied, or why not. */
  note(mods: readonly TableMod[], refused: BundleError | undefined): void {
    const others = refused === undefined || refused.leftOut !== undefined ? 'done' : 'undone';
    for (const [index, { kind }] of mods.entries())
      this.#add(kind, refused?.index === index || refused?.leftOut?.has(index) === true ? 'refused' : others);
  }

  counts(): readonly OperationCount[] {
    return [...this.#counts].flatMap(([op, results]) => [...results].map(([result, count]) => ({ op, result, count })));
  }

  #add(op: TableMod['kind'], result: OperationResult): void {
    let results = this.#counts.get(op);
    if (results === undefined) this.#counts.set(op, (results = new Map<OperationResult, number>()));
    results.set(result, (results.get(result) ?? 0) + 1);
  }
}
