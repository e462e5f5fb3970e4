/**
 * Registry of match fields.
 *
 * Owns: the names (Open vSwitch's spelling, ovs-fields(7)), the facts of each field, and the numbers they have on the wire.
 * Promises: `FieldName` is exactly the keys of `FIELDS`.
 */
import { FIELD_TABLE, type FieldFormat, type FieldRow, type Prereq } from './field-table.js';

type Count4 = '0' | '1' | '2' | '3';
type Count8 = Count4 | '4' | '5' | '6' | '7';
type Count16 = Count8 | '8' | '9' | '10' | '11' | '12' | '13' | '14' | '15';
type Count32 = Count16 | '16' | '17' | '18' | '19' | '20' | '21' | '22' | '23' | '24' | '25' | '26' | '27' | '28' | '29' | '30' | '31';
type Count64 = Count32 | `3${'2' | '3' | '4' | '5' | '6' | '7' | '8' | '9'}` | `${'4' | '5'}${Count8 | '8' | '9'}` | `6${Count4}`;

export type FieldName = keyof typeof FIELD_TABLE | `reg${Count32}` | `xreg${Count16}` | `xxreg${Count8}` | `tun_metadata${Count64}`;

/** One way to write the field on the wire. */
export interface WireHeader {
  /** `NXM_NX_REG0` style. */
  readonly name: string;
  readonly oxmClass: number;
  readonly number: number;
  /** 0 unless the class is 0xffff. */
  readonly experimenter: number;
  /** The 32-bit header without mask; for variable-length fields without length. */
  readonly header: number;
  readonly headerMasked: number;
}

export interface FieldInfo {
  readonly name: FieldName;
  readonly format: FieldFormat;
  /** Bytes on the wire without mask; the maximum if `variable`. */
  readonly bytes: number;
  /** Significant bits; values above them are not of this field. */
  readonly bits: number;
  /** JS type of a value: up to 48 bits a number, above a bigint, variable length bytes. */
  readonly type: 'number' | 'bigint' | 'bytes';
  readonly variable: boolean;
  readonly maskable: boolean;
  readonly writable: boolean;
  readonly prereq: Prereq;
  readonly alias: string;
  /** In matches and OFPAT_SET_FIELD. */
  readonly oxm: WireHeader;
  /** In Nicira actions. */
  readonly nxm: WireHeader;
  readonly headers: readonly WireHeader[];
}

const NXM_CLASSES = new Set([0x0000, 0x0001]);

function describe(name: FieldName, row: FieldRow, variable = false): FieldInfo {
  const headers = row.headers.map(([oxmClass, number, wireName, experimenter = 0]): WireHeader => {
    const length = experimenter === 0 ? 0 : 4;
    const bare = ((oxmClass << 16) | (number << 9)) >>> 0;
    return {
      name: wireName,
      oxmClass,
      number,
      experimenter,
      header: bare + (variable ? 0 : length + row.bytes),
      headerMasked: bare + 0x100 + (variable ? 0 : length + 2 * row.bytes),
    };
  });
  return {
    name,
    format: row.format,
    bytes: row.bytes,
    bits: row.bits,
    type: variable ? 'bytes' : row.bits <= 48 ? 'number' : 'bigint',
    variable,
    maskable: row.maskable,
    writable: row.writable,
    prereq: row.prereq,
    alias: row.alias,
    oxm: headers[0]!,
    nxm: headers.find((header) => NXM_CLASSES.has(header.oxmClass)) ?? headers[0]!,
    headers,
  };
}

const NICIRA = 0x2320;
const REGISTER = { format: 'hex', prereq: 'none', maskable: true, writable: true, alias: '' } as const;

function build(): Record<FieldName, FieldInfo> {
  const fields: Partial<Record<FieldName, FieldInfo>> = {};
  const add = (name: string, row: FieldRow, variable = false) => {
    fields[name as FieldName] = describe(name as FieldName, row, variable);
  };
  for (const [name, row] of Object.entries(FIELD_TABLE)) add(name, row);
  for (let n = 0; n < 32; n++) {
    const header = n < 16 ? ([0x0001, n, `NXM_NX_REG${n}`] as const) : ([0xffff, n + 1, `NXOXM_ET_REG${n}`, NICIRA] as const);
    add(`reg${n}`, { ...REGISTER, bytes: 4, bits: 32, headers: [header] });
  }
  for (let n = 0; n < 16; n++) add(`xreg${n}`, { ...REGISTER, bytes: 8, bits: 64, headers: [[0x8001, n, `OXM_OF_PKT_REG${n}`]] });
  for (let n = 0; n < 8; n++) {
    const header = n < 4 ? ([0x0001, n + 111, `NXM_NX_XXREG${n}`] as const) : ([0xffff, n + 29, `NXOXM_ET_XXREG${n}`, NICIRA] as const);
    add(`xxreg${n}`, { ...REGISTER, bytes: 16, bits: 128, headers: [header] });
  }
  for (let n = 0; n < 64; n++) {
    add(`tun_metadata${n}`, { ...REGISTER, bytes: 124, bits: 992, headers: [[0x0001, n + 40, `NXM_NX_TUN_METADATA${n}`]] }, true);
  }
  return fields as Record<FieldName, FieldInfo>;
}

/** Everything known about each field, by name. */
export const FIELDS: Readonly<Record<FieldName, FieldInfo>> = build();

export const FIELD_NAMES = Object.keys(FIELDS) as readonly FieldName[];

export function isFieldName(name: string): name is FieldName {
  return Object.hasOwn(FIELDS, name);
}

function index(oxmClass: number): readonly (FieldInfo | undefined)[] {
  const table = new Array<FieldInfo | undefined>(128).fill(undefined);
  for (const field of Object.values(FIELDS)) {
    for (const header of field.headers) if (header.oxmClass === oxmClass) table[header.number] = field;
  }
  return table;
}

const OPENFLOW_BASIC = index(0x8000);
const NXM_0 = index(0x0000);
const NXM_1 = index(0x0001);
const PACKET_REGISTERS = index(0x8001);
const ERICSSON = index(0x1000);
const EXPERIMENTER: ReadonlyMap<number, FieldInfo> = new Map(
  Object.values(FIELDS).flatMap((field) =>
    field.headers
      .filter((header) => header.oxmClass === 0xffff)
      .map((header) => [experimenterKey(header.experimenter, header.number), field]),
  ),
);

function experimenterKey(experimenter: number, number: number): number {
  return experimenter * 128 + number;
}

/** The field with this OXM header (any length and mask bit), or undefined. `experimenter` counts only for class 0xffff. */
export function fieldByHeader(header: number, experimenter: number): FieldInfo | undefined {
  const number = (header >>> 9) & 0x7f;
  switch (header >>> 16) {
    case 0x8000:
      return OPENFLOW_BASIC[number];
    case 0x0001:
      return NXM_1[number];
    case 0x0000:
      return NXM_0[number];
    case 0x8001:
      return PACKET_REGISTERS[number];
    case 0x1000:
      return ERICSSON[number];
    case 0xffff:
      return EXPERIMENTER.get(experimenterKey(experimenter, number));
    default:
      return undefined;
  }
}
