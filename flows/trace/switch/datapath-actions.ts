/**
 * What a list of datapath actions does to a packet.
 *
 * Owns: reading datapath actions as `ofproto/trace` prints them (format_odp_actions in lib/odp-util.c) and running the part of them that changes or
 * sends packets.
 */
import { parseIpv4, parseIpv6 } from '../../net/ip.js';
import { parseMac } from '../../net/mac.js';
import type { FieldName } from '../../openflow/fields.js';
import type { FieldValue } from '../../openflow/match.js';
import { slot, readRange, wordBits, applyBits } from '../layout.js';
import { fieldBits, Microflow } from '../microflow.js';
import { portName } from './flow-text.js';

/** `name(arguments)` or a bare word. */
export interface DatapathAction {
  readonly name: string;
  readonly args: string | undefined;
}

export interface DatapathResult {
  readonly outputs: readonly { readonly port: string; readonly packet: Microflow }[];
  readonly punts: readonly {
    readonly cookie: bigint;
    readonly controller_id: number;
    readonly reason: number;
    readonly packet: Microflow;
  }[];
  readonly recirculations: number;
  /** Commits and what they write: `zone`, `mark`, `label`, as printed. */
  readonly commits: readonly Readonly<Record<string, string>>[];
}

/** Splits at commas outside parentheses. */
export function split(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    const char = text[at];
    if (char === '(') depth++;
    if (char === ')') depth--;
    if (at === text.length || (char === ',' && depth === 0)) {
      const part = text.slice(start, at).trim();
      if (part !== '') parts.push(part);
      start = at + 1;
    }
  }
  return parts;
}

export function parseActions(text: string): DatapathAction[] {
  return split(text).map((part) => {
    const open = part.indexOf('(');
    return open < 0 ? { name: part, args: undefined } : { name: part.slice(0, open), args: part.slice(open + 1, -1) };
  });
}

/** `a=b,c=d` or `a(b),c(d)` as a record. */
function pairs(text: string): Record<string, string> {
  return Object.fromEntries(
    split(text).map((part) => {
      const at = part.search(/[=(]/);
      return at < 0 ? [part, ''] : [part.slice(0, at), part[at] === '(' ? part.slice(at + 1, -1) : part.slice(at + 1)];
    }),
  );
}

interface Sink {
  outputs: { port: string; packet: Microflow }[];
  punts: { cookie: bigint; controller_id: number; reason: number; packet: Microflow }[];
  recirculations: number;
  commits: Record<string, string>[];
}

export function runActions(text: string, packet: Microflow): DatapathResult {
  const sink: Sink = { outputs: [], punts: [], recirculations: 0, commits: [] };
  run(parseActions(text), packet.words.slice(), sink);
  return sink;
}

function run(actions: readonly DatapathAction[], words: Int32Array, sink: Sink): void {
  const now = (): Microflow => new Microflow(words.slice());
  for (const { name, args = '' } of actions) {
    switch (name) {
      case 'set':
        setField(parseActions(args)[0]!, words);
        break;
      case 'push_vlan': {
        const { vid = '0', pcp = '0', tpid = '0x8100' } = pairs(args);
        const tag = slot('vlan_tci').last;
        words[tag + 1] = words[tag]!;
        words[tag] = (Number(tpid) << 16) | (Number(pcp) << 13) | 0x1000 | Number(vid);
        break;
      }
      case 'pop_vlan': {
        const tag = slot('vlan_tci').last;
        words[tag] = words[tag + 1]!;
        words[tag + 1] = 0;
        break;
      }
      case 'clone':
        run(parseActions(args), words.slice(), sink);
        break;
      case 'sample':
        run(parseActions(pairs(args).actions ?? ''), words.slice(), sink);
        break;
      case 'check_pkt_len': {
        const { gt = '', le = '' } = pairs(args);
        run(parseActions(gt), words.slice(), sink);
        run(parseActions(le), words.slice(), sink);
        break;
      }
      case 'userspace': {
        const controller = pairs(pairs(args).controller ?? '');
        const { rule_cookie = '0', controller_id = '0', reason = '0' } = controller;
        if (args.includes('controller(')) {
          sink.punts.push({ cookie: BigInt(rule_cookie), controller_id: Number(controller_id), reason: Number(reason), packet: now() });
        }
        break;
      }
      case 'ct': {
        const ct = pairs(args);
        if ('commit' in ct || 'force_commit' in ct) sink.commits.push(ct);
        break;
      }
      case 'recirc':
        sink.recirculations++;
        break;
      case 'ct_clear':
      case 'drop':
      case 'meter':
      case 'trunc':
      case 'hash':
        break;
      default:
        if (!/^\d+$/.test(name)) throw new Error(`datapath action ${name} is not known`);
        sink.outputs.push({ port: name, packet: now() });
    }
  }
}

type Reader = (text: string) => FieldValue;
const mac: Reader = parseMac;
const v4: Reader = (text) => parseIpv4(text);
const v6: Reader = (text) => parseIpv6(text);
const number: Reader = (text) => Number(text);

/** By attribute, then by key: the field and how its value reads. */
const ATTRIBUTES: Readonly<Record<string, Readonly<Record<string, readonly [FieldName, Reader]>>>> = {
  eth: { src: ['eth_src', mac], dst: ['eth_dst', mac] },
  ipv4: { src: ['ip_src', v4], dst: ['ip_dst', v4], ttl: ['nw_ttl', number] },
  ipv6: { src: ['ipv6_src', v6], dst: ['ipv6_dst', v6], hlimit: ['nw_ttl', number], label: ['ipv6_label', number] },
  arp: { sip: ['arp_spa', v4], tip: ['arp_tpa', v4], op: ['arp_op', number], sha: ['arp_sha', mac], tha: ['arp_tha', mac] },
  nd: { target: ['nd_target', v6], sll: ['nd_sll', mac], tll: ['nd_tll', mac] },
  nd_ext: { nd_reserved: ['nd_reserved', number], nd_options_type: ['nd_options_type', number] },
};

function setField({ name, args = '' }: DatapathAction, words: Int32Array): void {
  if (name === 'skb_mark') {
    put(words, 'pkt_mark', args, number);
    return;
  }
  if (name === 'skb_priority' || name === 'tunnel') return;
  for (const [key, value] of Object.entries(pairs(args))) {
    if (key === 'tos' || key === 'tclass') {
      const [bits = '0', mask = '0xff'] = value.split('/');
      applyBits(words, wordBits({ ...slot('nw_tos') }, Number(bits), Number(mask)));
      continue;
    }
    if (key === 'proto' || key === 'frag') continue;
    const known = ATTRIBUTES[name]?.[key];
    const [field, read] = known ?? [portName(name.startsWith('icmp') ? `icmp_${key}` : `tp_${key}`, identity(words)), number];
    put(words, field, value, read);
  }
}

function identity(words: Int32Array): { eth_type: number; nw_proto: number } {
  return { eth_type: Number(readRange(words, slot('eth_type'))), nw_proto: Number(readRange(words, slot('nw_proto'))) };
}

function put(words: Int32Array, field: FieldName, text: string, read: Reader): void {
  const [value = '', mask] = text.split('/');
  applyBits(words, fieldBits(field, read(value), mask === undefined ? undefined : read(mask))!);
}
