/**
 * The last changes of the model, to go back by.
 *
 * Owns: what each of the last revisions changed, with what was there before.
 * Promises: changes are shared with the model, not copied; more than MAX_ENTITIES of them are not kept.
 */
import { HotoriError } from '../../flows/model/errors.js';
import type { EntityChange } from '../transaction/transaction.js';

const MAX_REVISIONS = 1_000;
const MAX_ENTITIES = 100_000;

export class History {
  private readonly steps: (readonly EntityChange[])[] = [];
  private entities = 0;

  append(changes: readonly EntityChange[]): void {
    this.steps.push(changes);
    this.entities += changes.length;
    while (this.steps.length > MAX_REVISIONS || (this.entities > MAX_ENTITIES && this.steps.length > 1))
      this.entities -= this.steps.shift()!.length;
  }

  clear(): void {
    this.steps.length = 0;
    this.entities = 0;
  }

  /**
   * What came after a revision, oldest first. Throws HotoriError `compacted` for one that is gone, `invalid_argument` for one that is not there yet.
   * @param now the current revision
   */
  since(revision: number, now: number): readonly (readonly EntityChange[])[] {
    if (revision > now) throw new HotoriError('invalid_argument', `revision ${revision} does not exist yet; the last one is ${now}`);
    const count = now - revision;
    if (count > this.steps.length)
      throw new HotoriError('compacted', `revision ${revision} is gone; what is known here goes back to ${now - this.steps.length}`);
    return count === 0 ? [] : this.steps.slice(-count);
  }
}
