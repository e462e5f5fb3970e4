/**
 * Whether a segment may cross to another hypervisor.
 *
 * Owns: what the overlay modes mean.
 */
import type { Here } from '../rule.js';

/** In the explicit mode nothing crosses that is not named for both ends. */
export function mayCross({ overlay_mode }: Here): boolean {
  return overlay_mode === 'auto';
}
