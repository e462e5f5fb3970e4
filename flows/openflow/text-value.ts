/**
 * Values of fields as text, in the spelling of ovs-ofctl(8), and back.
 */
import { ipv4MaskPrefix, ipv4Mask, ipv6Mask, ipv6MaskPrefix } from '../net/cidr.js';
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../net/ip.js';
import { formatMac, parseMac } from '../net/mac.js';
import { PORTS } from './constants.js';
import { FIELDS, FIELD_NAMES, isFieldName, type FieldInfo, type FieldName } from './fields.js';
import type { FieldValue, Subfield } from './match.js';
import { TextError } from './text-error.js';

/** `%#x`: no prefix for zero. */
export function hex(value: number | bigint): string {
  return value === 0 || value === 0n ? '0' : `0x${value.toString(16)}`;
}

/** `0x%x`. */
export function hex0x(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

export function hexBytes(data: Uint8Array): string {
  let text = '';
  for (const byte of data) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** `01.a0.ff`. */
export function dotted(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('.');
}

export function bytesFromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new TextError(text, 'pairs of hex digits expected');
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

function bytesToBig(data: Uint8Array): bigint {
  return data.length === 0 ? 0n : BigInt(`0x${hexBytes(data)}`);
}

const PORT_NAMES: ReadonlyMap<number, string> = new Map(
  (['IN_PORT', 'TABLE', 'NORMAL', 'FLOOD', 'ALL', 'CONTROLLER', 'LOCAL', 'ANY', 'UNSET'] as const).map((name) => [PORTS[name], name]),
);

/** A port number or the name of a reserved port. */
export function portText(port: number): string {
  // Open vSwitch has 16-bit ports inside.
  return PORT_NAMES.get(port) ?? String(port >= PORTS.MAX ? port & 0xffff : port);
}

export function parsePort(text: string): number {
  if (text.toUpperCase() === 'NONE') return PORTS.ANY;
  for (const [port, name] of PORT_NAMES) if (name === text.toUpperCase()) return port;
  const port = parseNumber(text, 32);
  return port >= 0xff00 && port <= 0xffff ? port + 0xffff0000 : port;
}

/** A decimal or 0x-hexadecimal number of at most `bits` bits. */
export function parseNumber(text: string, bits: number): number {
  const value = parseBig(text, bits);
  return Number(value);
}

export function parseBig(text: string, bits: number): bigint {
  if (!/^(0x[0-9a-f]+|[0-9]+)$/i.test(text)) throw new TextError(text, 'a number expected');
  const value = BigInt(text);
  if (value >> BigInt(bits) !== 0n) throw new TextError(text, `a number of at most ${bits} bits expected`);
  return value;
}

function parsePrefix(text: string, max: number): number {
  const prefix = parseNumber(text, 8);
  if (prefix > max) throw new TextError(text, `a prefix length of at most ${max} expected`);
  return prefix;
}

/** inet_ntop: as RFC 5952, but IPv4-compatible addresses end in a dotted quad too. */
export function ipv6Text(value: bigint): string {
  return value > 0xffffn && value <= 0xffff_ffffn ? `::${formatIpv4(Number(value))}` : formatIpv6(value);
}

export function macText(value: number, mask?: number): string {
  return mask === undefined ? formatMac(value) : `${formatMac(value)}/${formatMac(mask)}`;
}

export function ipv4Text(value: number, mask?: number): string {
  if (mask === undefined) return formatIpv4(value);
  return `${formatIpv4(value)}/${ipv4MaskPrefix(mask) ?? formatIpv4(mask)}`;
}

export function ipv6MaskedText(value: bigint, mask?: bigint): string {
  if (mask === undefined) return ipv6Text(value);
  return `${ipv6Text(value)}/${ipv6MaskPrefix(mask) ?? ipv6Text(mask)}`;
}

const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns', '[200]', '[400]', '[800]'];
const CT_STATES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
const TUNNEL_FLAGS = ['oam'];
const FLAG_NAMES = { tcp_flags: TCP_FLAGS, ct_state: CT_STATES, tun_flags: TUNNEL_FLAGS } as const;
type FlagFormat = keyof typeof FLAG_NAMES;

function isFlags(format: string): format is FlagFormat {
  return Object.hasOwn(FLAG_NAMES, format);
}

/** `a|b`, `0` for none. */
function flagsText(names: readonly string[], flags: number): string {
  const set = names.filter((_, bit) => ((flags >>> bit) & 1) !== 0);
  const rest = (flags >>> names.length) << names.length;
  if (rest !== 0) set.push(hex(rest >>> 0));
  return set.length === 0 ? '0' : set.join('|');
}

/** `+a-b` for the bits of the mask, or `a|b` when the mask is all bits. */
export function maskedFlagsText(format: FlagFormat, flags: number, mask?: number): string {
  const names = FLAG_NAMES[format];
  if (mask === undefined) return flagsText(names, flags);
  let text = '';
  for (let bit = 0; bit < 32; bit++) {
    if (((mask >>> bit) & 1) === 0) continue;
    text += `${((flags >>> bit) & 1) !== 0 ? '+' : '-'}${names[bit] ?? '[Unknown]'}`;
  }
  return text === '' ? '0/0' : text;
}

function parseFlags(text: string, format: FlagFormat, bits: number): { value: number; mask: number | undefined } {
  const names = FLAG_NAMES[format];
  if (/^(0x)?[0-9a-f]+(\/.+)?$/i.test(text) && /^[0-9]/.test(text)) {
    const [value, mask] = text.split('/', 2);
    return { value: parseNumber(value!, bits), mask: mask === undefined ? undefined : parseNumber(mask, bits) };
  }
  const bitOf = (name: string): number => {
    const bit = names.indexOf(name);
    if (bit < 0) throw new TextError(name, `one of ${names.join(', ')} expected`);
    return 2 ** bit;
  };
  if (!/^[+-]/.test(text)) return { value: text.split('|').reduce((sum, name) => sum + bitOf(name), 0), mask: undefined };
  let value = 0;
  let mask = 0;
  for (const [, sign, name] of text.matchAll(/([+-])([^+-]+)/g)) {
    const bit = bitOf(name!);
    mask += bit;
    if (sign === '+') value += bit;
  }
  return { value, mask };
}

const FRAGMENTS = [
  { name: 'no', value: 0, mask: undefined },
  { name: 'yes', value: 1, mask: 1 },
  { name: 'first', value: 1, mask: undefined },
  { name: 'later', value: 3, mask: undefined },
  { name: 'not_later', value: 0, mask: 2 },
] as const;

export function fragText(value: number, mask?: number): string {
  if (mask === 2 && value === 2) return 'later';
  if (mask === 1 && value === 0) return 'no';
  return FRAGMENTS.find((frag) => frag.value === value && frag.mask === mask)?.name ?? '<error>';
}

function packetTypeText(value: number): string {
  return value === 0 ? 'eth' : `packet_type=(${value >>> 16},${hex(value & 0xffff)})`;
}

/** Hexadecimal without leading zeros, whatever the type. */
export function hexValue(value: FieldValue): string {
  return hex(value instanceof Uint8Array ? bytesToBig(value) : value);
}

/** A field's value (and mask) as set_field and learn write it: mf_format of Open vSwitch. */
export function fieldText(field: FieldInfo, value: FieldValue, mask?: FieldValue): string {
  const number = value as number;
  const bits = mask as number | undefined;
  switch (field.format) {
    case 'mac':
      return macText(number, bits);
    case 'ipv4':
      return ipv4Text(number, bits);
    case 'ipv6':
      return ipv6MaskedText(value as bigint, mask as bigint | undefined);
    case 'port':
      return mask === undefined ? portText(number) : `${number}/${hexValue(mask)}`;
    case 'port16':
      return mask === undefined ? portText(number >= 0xff00 ? number + 0xffff0000 : number) : `${number}/${hexValue(mask)}`;
    case 'frag':
      return fragText(number, bits);
    case 'tcp_flags':
    case 'ct_state':
    case 'tun_flags':
      return maskedFlagsText(field.format, number, bits);
    case 'packet_type':
      return packetTypeText(number);
    case 'dec':
      return mask === undefined ? value.toString() : `${value.toString()}/${hexValue(mask)}`;
    case 'hex':
      return mask === undefined ? hexValue(value) : `${hexValue(value)}/${hexValue(mask)}`;
  }
}

function bigToBytes(value: bigint, length: number): Uint8Array {
  return bytesFromHex(value.toString(16).padStart(2 * length, '0'));
}

function parseInteger(field: FieldInfo, text: string): FieldValue {
  if (field.type === 'bytes') {
    const digits = /^0x([0-9a-f]+)$/i.exec(text)?.[1] ?? parseBig(text, 8 * field.bytes).toString(16);
    // As long as it is written, in the 4-byte steps of Geneve options.
    return bigToBytes(BigInt(`0x${digits}`), Math.max(4, ((digits.length + 7) >> 3) << 2));
  }
  const value = parseBig(text, 8 * field.bytes);
  return field.type === 'bigint' ? value : Number(value);
}

/** The inverse of `fieldText`; also takes every form in which a match writes the field. */
export function parseFieldValue(field: FieldInfo, text: string): { value: FieldValue; mask: FieldValue | undefined } {
  if (isFlags(field.format)) return parseFlags(text, field.format, 8 * field.bytes);
  if (field.format === 'frag') {
    const frag = FRAGMENTS.find(({ name }) => name === text);
    if (frag !== undefined) return { value: frag.value, mask: frag.mask };
  }
  if (field.format === 'packet_type') return { value: parsePacketType(text), mask: undefined };
  const slash = text.indexOf('/');
  const [value, mask] = slash < 0 ? [text, undefined] : [text.slice(0, slash), text.slice(slash + 1)];
  const maskOf = <T extends FieldValue>(parse: (mask: string) => T): T | undefined => (mask === undefined ? undefined : parse(mask));
  switch (field.format) {
    case 'mac':
      return { value: parseMac(value), mask: maskOf(parseMac) };
    case 'ipv4':
      return { value: parseIpv4(value), mask: maskOf((m) => (m.includes('.') ? parseIpv4(m) : ipv4Mask(parsePrefix(m, 32)))) };
    case 'ipv6':
      return { value: parseIpv6(value), mask: maskOf((m) => (m.includes(':') ? parseIpv6(m) : ipv6Mask(parsePrefix(m, 128)))) };
    case 'port':
      return { value: parsePort(value), mask: maskOf((m) => parseNumber(m, 32)) };
    case 'port16':
      return { value: parsePort(value) & 0xffff, mask: maskOf((m) => parseNumber(m, 16)) };
    default: {
      const whole = parseInteger(field, value);
      const bits = maskOf((m) => parseInteger(field, m));
      if (whole instanceof Uint8Array && bits instanceof Uint8Array) {
        const length = Math.max(whole.length, bits.length);
        return { value: bigToBytes(bytesToBig(whole), length), mask: bigToBytes(bytesToBig(bits), length) };
      }
      return { value: whole, mask: bits };
    }
  }
}

function parsePacketType(text: string): number {
  if (text === 'eth') return 0;
  const [, namespace, type] = /^\((\d+),((?:0x)?[0-9a-f]+)\)$/i.exec(text) ?? [];
  if (namespace === undefined || type === undefined) throw new TextError(text, '(namespace,type) expected');
  return parseNumber(namespace, 16) * 0x10000 + parseNumber(type, 16);
}

/** Name of a field in set_field, learn and delete_field. */
export function fieldLabel(field: FieldName): string {
  return field === 'in_port' ? 'in_port_oxm' : field === 'nxm_in_port' ? 'in_port' : field;
}

const BY_LABEL: ReadonlyMap<string, FieldInfo> = new Map(
  FIELD_NAMES.flatMap((name) => [
    ...FIELDS[name].headers.map((header): [string, FieldInfo] => [header.name, FIELDS[name]]),
    ...(FIELDS[name].alias === '' ? [] : [[FIELDS[name].alias, FIELDS[name]] as [string, FieldInfo]]),
    [fieldLabel(name), FIELDS[name]],
  ]),
);

/** The field with a name, alias or header name; undefined if there is none. */
export function fieldByLabel(label: string): FieldInfo | undefined {
  return BY_LABEL.get(label) ?? (isFieldName(label) ? FIELDS[label] : undefined);
}

/** `NXM_NX_REG0[0..15]` style. */
export function subfieldText(subfield: Subfield): string {
  const field = FIELDS[subfield.field];
  const { offset, bits } = subfield;
  if (offset === 0 && bits === field.bits) return `${field.nxm.name}[]`;
  return bits === 1 ? `${field.nxm.name}[${offset}]` : `${field.nxm.name}[${offset}..${offset + bits - 1}]`;
}

/** `reg0`, `reg0[]`, `reg0[3]`, `reg0[0..15]`, by any name of the field. */
export function parseSubfield(text: string): Subfield {
  const [, label, range] = /^(\w+)(?:\[(.*)\])?$/.exec(text) ?? [];
  const field = label === undefined ? undefined : fieldByLabel(label);
  if (field === undefined) throw new TextError(text, 'a field expected');
  if (range === undefined || range === '') return { field: field.name, offset: 0, bits: field.bits };
  const [from, to = from] = range.split('..', 2);
  const offset = parseNumber(from!, 16);
  const last = parseNumber(to!, 16);
  if (last < offset || last >= field.bits) throw new TextError(text, `bits 0 to ${field.bits - 1} expected`);
  return { field: field.name, offset, bits: last - offset + 1 };
}
