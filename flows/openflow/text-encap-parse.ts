/**
 * The encap action from text: `encap(nsh(md_type=2,tlv(0x1000,10,0x12345678)))`.
 */
import type { Action } from './action.js';
import { ENCAPSULATIONS } from './text-action.js';
import { TextError } from './text-error.js';
import { splitTop, tokenOf } from './text-tokens.js';
import { bytesFromHex, parseNumber } from './text-value.js';

const NSH = 4;
const MD_TYPE = 1;
const TLV = 2;

export function parseEncap(text: string): Action {
  const { name, argument } = tokenOf(text);
  const type = Object.hasOwn(ENCAPSULATIONS, name) ? ENCAPSULATIONS[name]! : parseNumber(name, 32);
  const properties = argument === undefined ? [] : splitTop(argument, ', ').flatMap((part) => [...propertyOf(part)]);
  return { kind: 'encap', header_size: 0, packet_type: type, properties: Uint8Array.from(properties) };
}

function padded(bytes: readonly number[]): Uint8Array {
  const data = new Uint8Array((bytes.length + 7) & ~7);
  data.set(bytes);
  return data;
}

function propertyOf(text: string): Uint8Array {
  const { name, argument = '' } = tokenOf(text);
  switch (name) {
    case 'md_type':
      return padded([0, NSH, MD_TYPE, 8, parseNumber(argument, 8)]);
    case 'tlv': {
      const [tlvClass = '', type = '', value = ''] = splitTop(argument, ', ');
      const digits = value.replace(/^0x/i, '');
      const body = [...bytesFromHex(digits.length % 2 === 0 ? digits : `0${digits}`)];
      const number = parseNumber(tlvClass, 16);
      return padded([0, NSH, TLV, 8 + body.length, number >>> 8, number & 0xff, parseNumber(type, 8), body.length, ...body]);
    }
    case 'property':
      return padded([...bytesFromHex(argument)]);
    default:
      throw new TextError(text, 'md_type, tlv or property expected');
  }
}
