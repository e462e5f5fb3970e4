/**
 * What a switch has shown that it can read.
 *
 * Owns: the shapes of the modifications it has read over this connection: tables, fields and actions, with all values left out that only say which address, port,
 * register content or flow is meant.
 * Assumes: a switch that has read a modification reads every other one of its shape. What decides whether one can be read is which fields and actions it has, in which
 * table, with which prerequisites; values that our own encoder accepts are within their fields.
 * Promises: bounded memory.
 */
import type { TableMod } from './contract.js';

const MAX_SHAPES = 4_096;

/** Numbers that decide whether something can be read: they stay in the shape. */
const TELLING = new Set([
  'table',
  'offset',
  'bits',
  'meter_id',
  'max_len',
  'controller_id',
  'clause',
  'n_clauses',
  'mask',
  'length',
  'ethertype',
]);
/** Fields that other fields and actions require to have a certain value. */
const REQUIRED = new Set([
  'eth_type',
  'nw_proto',
  'icmp_type',
  'icmpv6_type',
  'icmpv6_code',
  'arp_op',
  'vlan_tci',
  'vlan_vid',
  'packet_type',
]);
/** Port numbers from here on have a meaning of their own (OF1.3.5 §A.2.1, OFPP_MAX). */
const RESERVED_PORTS = 0xffff_ff00;

export class ReadShapes {
  readonly #known = new Set<string>();

  /** Whether it has read the like of all these before. */
  covers(mods: readonly TableMod[]): boolean {
    return mods.every((mod) => this.#known.has(shapeOf(mod)));
  }

  /** It has read all of these. */
  learn(mods: readonly TableMod[]): void {
    if (this.#known.size + mods.length > MAX_SHAPES) this.#known.clear();
    for (const mod of mods) this.#known.add(shapeOf(mod));
  }

  /** It has not read what it was expected to. */
  forget(): void {
    this.#known.clear();
  }
}

export function shapeOf(mod: TableMod): string {
  return shape(mod, '');
}

function shape(value: unknown, name: string): string {
  switch (typeof value) {
    case 'number':
      return TELLING.has(name) || (name === 'port' && value >= RESERVED_PORTS) ? String(value) : '#';
    case 'bigint':
      return TELLING.has(name) ? String(value) : '#';
    case 'object': {
      if (value === null) return '-';
      if (value instanceof Uint8Array) return `[${value.length}]`;
      if (Array.isArray(value)) return `(${value.map((one) => shape(one, name)).join(' ')})`;
      const { field } = value as { readonly field?: unknown };
      const isRequired = typeof field === 'string' && REQUIRED.has(field);
      let text = '';
      for (const [key, part] of Object.entries(value))
        if (part !== undefined) text += `${key}=${isRequired && key === 'value' ? String(part) : shape(part, key)},`;
      return `{${text}}`;
    }
    default:
      return String(value);
  }
}
