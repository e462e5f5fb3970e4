/**
 * Rows of filters from what a user wrote.
 */
import type { FilterStatic } from './entities/filter.js';
import type { CreateInput } from './inputs.js';

export type FilterStaticInput = CreateInput<'filter'>['statics'][number];

/** Port 0 and prefix length 0 are OpenVNet's words for any. */
export function filterStaticFrom(input: FilterStaticInput): FilterStatic {
  return {
    protocol: input.protocol,
    action: input.action,
    src_address: anyIfAll(input.src_address),
    dst_address: anyIfAll(input.dst_address),
    src_port: input.src_port || null,
    dst_port: input.dst_port || null,
  };
}

function anyIfAll(cidr: string | null | undefined): string | null {
  return cidr === undefined || cidr === null || cidr.endsWith('/0') ? null : cidr;
}
