/**
 * What every invariant check is given.
 */
import type { Entity, EntityKind, EntityOf } from '../entities.js';
import type { ModelView } from '../view.js';

/** `invalid_reference`: names nothing. `conflict`: somebody else has it. `still_referenced`: deleted but needed. */
export type ViolationCode = 'invalid_reference' | 'conflict' | 'still_referenced' | 'invariant_violated';

export interface Violation {
  readonly code: ViolationCode;
  /** The changed entity that breaks the rule. */
  readonly uuid: string;
  /** Path of the field inside it, empty for the whole; list items by position, members of a set by value. */
  readonly path: readonly (string | number)[];
  readonly detail: string;
  /** What an invalid_reference names. */
  readonly target?: string;
}

export interface Check {
  /** The model as it would be. */
  readonly view: ModelView;
  /** Whether the transaction changes it: then it is checked in its own right. */
  touched(uuid: string): boolean;
  report(violation: Violation): void;
}

/** One changed entity: before is undefined when it is new, after when it is gone. */
export interface Change<K extends EntityKind = EntityKind> {
  readonly before: EntityOf<K> | undefined;
  readonly after: EntityOf<K> | undefined;
}

/** Reports about one entity. */
export type Complain = (path: string | readonly (string | number)[], detail: string, code?: ViolationCode) => void;

export function complainAbout(check: Check, entity: Entity): Complain {
  return (path, detail, code = 'invariant_violated') =>
    check.report({ code, uuid: entity.uuid, path: typeof path === 'string' ? (path === '' ? [] : [path]) : path, detail });
}

/** First of `items`, and how many more; to name some without naming 50,000. */
export function few(items: readonly string[], shown = 5): string {
  const rest = items.length - shown;
  return rest > 0 ? `${items.slice(0, shown).join(', ')} and ${rest} more` : items.join(', ');
}
