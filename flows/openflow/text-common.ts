/**
 * Small pieces that many messages print: bit names, durations, hex dumps, counters.
 */
import { hex0x } from './text-value.js';

/** Names of the set bits with a separator between them, what has no name in hexadecimal; `0` for none. `names` are by bit number. */
export function bitNames(bits: number, names: readonly (string | undefined)[], separator: string): string {
  if (bits === 0) return '0';
  const words: string[] = [];
  let rest = 0;
  for (let bit = 0; bit < 32; bit++) {
    const flag = 2 ** bit;
    if (Math.floor(bits / flag) % 2 === 0) continue;
    const name = names[bit];
    if (name === undefined) rest += flag;
    else words.push(name);
  }
  if (rest !== 0) words.push(hex0x(rest));
  return words.join(separator);
}

/** Seconds with as many decimals as needed, at least three if any. */
export function duration(sec: number, nsec: number): string {
  if (nsec === 0) return `${sec}s`;
  if (nsec % 1_000_000 === 0) return `${sec}.${String(nsec / 1_000_000).padStart(3, '0')}s`;
  return `${sec}.${String(nsec).padStart(9, '0').replace(/0+$/, '')}s`;
}

const UNKNOWN_COUNTER = 0xffff_ffff_ffff_ffffn;

/** `?` for a counter that the switch does not keep. */
export function counter(value: bigint): string {
  return value === UNKNOWN_COUNTER ? '?' : String(value);
}

/** Sixteen bytes to a line: offset, hex, characters. */
export function hexDump(data: Uint8Array): string {
  const lines: string[] = [];
  for (let o = 0; o < data.length; o += 16) {
    const row = data.subarray(o, o + 16);
    let hex = '';
    let text = '';
    for (let i = 0; i < 16; i++) {
      const byte = row[i];
      hex += byte === undefined ? '   ' : `${byte.toString(16).padStart(2, '0')}${i === 7 ? '-' : ' '}`;
      text += byte === undefined ? ' ' : byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.';
    }
    lines.push(`${o.toString(16).padStart(8, '0')}  ${hex}|${text}|`);
  }
  return lines.join('\n');
}
