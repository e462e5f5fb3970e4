/**
 * Comparing entities by what matters.
 */

/** Whether two plain values are equal, fields that `ignore` names left out at any depth. */
export function sameValue(a: unknown, b: unknown, ignore: (field: string) => boolean): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) || Array.isArray(b))
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => sameValue(item, b[index], ignore));
  const fields = (value: object) => Object.keys(value).filter((field) => !ignore(field));
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const names = fields(a);
  return names.length === fields(b).length && names.every((field) => field in right && sameValue(left[field], right[field], ignore));
}

/** When something was written, not what. */
export const isStamp = (field: string) => field === 'created_at' || field === 'updated_at';
/** What vnmgr allocates. */
export const isKey = (field: string) => field.endsWith('_key');
