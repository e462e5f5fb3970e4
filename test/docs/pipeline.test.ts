import { createCompiler } from '../../flows/compile/compiler.js';
import { PUNT_KINDS } from '../../flows/pipeline/punt.js';
import { REGISTERS } from '../../flows/pipeline/registers.js';
import { DROP_REASONS, TABLES } from '../../flows/pipeline/tables.js';
import { expectGenerated, markdownTable } from './generated.js';

describe('docs/pipeline.md', () => {
  it('lists the tables there are', () => {
    const fixed = [...createCompiler().tables.flows.values()];
    const rows = Object.entries(TABLES).map(([name, { id, does }]) => [id, name, does, fixed.filter((f) => f.table === id).length]);
    expectGenerated('docs/pipeline.md', 'tables', markdownTable(['table', 'name', 'what it does', 'fixed flows'], rows));
  });

  it('lists the registers there are', () => {
    const rows = Object.entries(REGISTERS).map(([name, { field, offset, bits, means }]) => [
      `${field}[${offset}..${offset + bits - 1}]`,
      name,
      means,
    ]);
    expectGenerated('docs/pipeline.md', 'registers', markdownTable(['bits', 'name', 'what it holds'], rows));
  });

  it('lists the drop reasons there are', () => {
    const rows = Object.entries(DROP_REASONS).map(([name, { code, says }]) => [code, name, says]);
    expectGenerated('docs/pipeline.md', 'drop reasons', markdownTable(['reg15', 'reason', 'the packet'], rows));
  });

  it('lists the punts there are', () => {
    const rows = Object.entries(PUNT_KINDS).map(([name, { code, meter, packetsPerSecond }]) => [code, name, meter, packetsPerSecond]);
    expectGenerated('docs/pipeline.md', 'punts', markdownTable(['kind', 'punt', 'meter', 'packets/s let through'], rows));
  });
});
