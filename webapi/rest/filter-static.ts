/**
 * OpenVNet's rows of a filter, below the filter.
 */
import type { z } from 'zod';
import { filterStaticSchema } from '../../flows/model/entities/filter.js';
import { filterStaticFrom } from '../../flows/model/filter-static.js';
import { filterStaticInput } from '../../flows/model/input-fields.js';
import type { OwnedRows } from './owned-rows.js';

export const FILTER_STATICS: OwnedRows = {
  kind: 'filter',
  path: 'static',
  name: 'static',
  list: 'statics',
  stored: filterStaticSchema,
  added: filterStaticInput,
  // A row is named by what it matches.
  named: filterStaticInput.omit({ action: true }),
  row: (params) => filterStaticFrom({ action: 'pass', ...params } as z.output<typeof filterStaticInput>),
  keyOf: ({ protocol, src_address, dst_address, src_port, dst_port }) =>
    JSON.stringify([protocol, src_address, dst_address, src_port, dst_port]),
};
