/**
 * Filters: which parts of a row go together, and whom they can be on.
 */
import type { FilterStatic } from '../entities/filter.js';
import { entityOf } from '../view.js';
import { complainAbout, type Change, type Check } from './check.js';

export function checkFilter(check: Check, { after }: Change<'filter'>): void {
  if (after === undefined) return;
  const complain = complainAbout(check, after);
  const iface = entityOf(check.view, 'interface', after.interface_uuid);
  if (iface?.mode === 'simulated')
    complain('interface_uuid', `${iface.uuid} is simulated: nothing passes through it that could be filtered`);
  const seen = new Map<string, number>();
  for (const [index, row] of after.statics.entries()) {
    const twin = seen.get(matchOf(row));
    if (twin !== undefined) complain(['statics', index], `matches what row ${twin} matches`, 'conflict');
    else seen.set(matchOf(row), index);
    for (const side of ['src_port', 'dst_port'] as const)
      if (row[side] !== null && row.protocol !== 'tcp' && row.protocol !== 'udp')
        complain(['statics', index, side], `${row.protocol} has no ports; tcp and udp have`);
  }
}

function matchOf({ protocol, src_address, dst_address, src_port, dst_port }: FilterStatic): string {
  return JSON.stringify([protocol, src_address, dst_address, src_port, dst_port]);
}
