/**
 * The nat action as text, and back: `nat(src=10.0.0.1-10.0.0.9:1000-2000,random)`.
 */
import { formatIpv4, parseIpv4, parseIpv6 } from '../net/ip.js';
import type { NatAction } from './action.js';
import { TextError } from './text-error.js';
import { splitTop } from './text-tokens.js';
import { ipv6Text, parseNumber } from './text-value.js';

export function natText(nat: NatAction): string {
  if (nat.direction === undefined) return 'nat';
  const { ipv4_min, ipv4_max, ipv6_min, ipv6_max, port_min, port_max } = nat;
  const bracket = (text: string) => (port_min === undefined ? text : `[${text}]`);
  let range = '';
  if (ipv4_min !== undefined) {
    range = formatIpv4(ipv4_min);
    if (ipv4_max !== undefined && ipv4_max !== ipv4_min) range += `-${formatIpv4(ipv4_max)}`;
  } else if (ipv6_min !== undefined) {
    range = bracket(ipv6Text(ipv6_min));
    if (ipv6_max !== undefined && ipv6_max !== ipv6_min) range += `-${bracket(ipv6Text(ipv6_max))}`;
  }
  if (port_min !== undefined) range += port_max === undefined || port_max === port_min ? `:${port_min}` : `:${port_min}-${port_max}`;
  const parts = [range === '' ? nat.direction : `${nat.direction}=${range}`];
  if (nat.persistent === true) parts.push('persistent');
  if (nat.hash === true) parts.push('hash');
  if (nat.random === true) parts.push('random');
  return `nat(${parts.join()})`;
}

/** @param argument what stands in the parentheses, if there are any. */
export function parseNat(argument: string | undefined): NatAction {
  if (argument === undefined || argument === '') return { kind: 'nat' };
  const action: { -readonly [K in keyof NatAction]: NatAction[K] } = { kind: 'nat' };
  for (const part of splitTop(argument, ', ')) {
    const at = part.indexOf('=');
    const name = at < 0 ? part : part.slice(0, at);
    if (name === 'persistent' || name === 'hash' || name === 'random') action[name] = true;
    else if (name === 'src' || name === 'dst') {
      action.direction = name;
      if (at >= 0) natRange(part.slice(at + 1), action);
    } else throw new TextError(part, 'src, dst, persistent, hash or random expected');
  }
  return action;
}

const NAT_RANGE =
  /^(?:(?<v4>[0-9.]+)(?:-(?<v4max>[0-9.]+))?|\[(?<v6>[^\]]+)\](?:-\[(?<v6max>[^\]]+)\])?|(?<plain>[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?:-(?<plainmax>[0-9a-fA-F:.]+))?)?(?::(?<port>\d+)(?:-(?<portmax>\d+))?)?$/;

function natRange(text: string, action: { -readonly [K in keyof NatAction]: NatAction[K] }): void {
  const groups = NAT_RANGE.exec(text)?.groups;
  if (groups === undefined) throw new TextError(text, 'addresses and ports expected');
  const { v4, v4max, v6, v6max, plain, plainmax, port: low, portmax: high } = groups as Record<string, string | undefined>;
  if (v4 !== undefined) action.ipv4_min = parseIpv4(v4);
  if (v4max !== undefined) action.ipv4_max = parseIpv4(v4max);
  const min6 = v6 ?? plain;
  const max6 = v6max ?? plainmax;
  if (min6 !== undefined) action.ipv6_min = parseIpv6(min6);
  if (max6 !== undefined) action.ipv6_max = parseIpv6(max6);
  if (low !== undefined) action.port_min = parseNumber(low, 16);
  if (high !== undefined) action.port_max = parseNumber(high, 16);
}
