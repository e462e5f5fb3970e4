import { REGISTERS, regLoad, regMatch } from '../../../flows/pipeline/registers.js';
import { DROP_REASONS, TABLES } from '../../../flows/pipeline/tables.js';

describe('registers', () => {
  it('do not overlap', () => {
    const taken = new Map<string, string>();
    for (const [name, { field, offset, bits }] of Object.entries(REGISTERS)) {
      for (let bit = offset; bit < offset + bits; bit++) {
        expect([`${field}[${bit}]`, taken.get(`${field}[${bit}]`)]).toEqual([`${field}[${bit}]`, undefined]);
        taken.set(`${field}[${bit}]`, name);
      }
    }
  });

  it('match and load only their own bits', () => {
    expect([
      regMatch('vrf', 7),
      regMatch('segment', 5),
      regMatch('source_zone', 0xffff),
      regLoad('router', 3),
      regLoad('multicast', 1),
    ]).toEqual([
      { field: 'metadata', value: 7n << 32n, mask: 0xffff_ffff_0000_0000n },
      { field: 'metadata', value: 5n, mask: 0xffff_ffffn },
      { field: 'reg6', value: 0xffff_0000, mask: 0xffff_0000 },
      { kind: 'set_field', field: 'reg10', value: 3, mask: 0xff_ffff },
      { kind: 'set_field', field: 'reg0', value: 0x200, mask: 0x200 },
    ]);
  });
});

describe('tables and drop reasons', () => {
  it('have a number each', () => {
    const ids = Object.values(TABLES).map((t) => t.id);
    const codes = Object.values(DROP_REASONS).map((r) => r.code);
    expect([new Set(ids).size, new Set(codes).size]).toEqual([ids.length, codes.length]);
  });
});
