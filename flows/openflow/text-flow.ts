/**
 * Flows, groups and meters as text, in the syntax of ovs-ofctl(8), and back.
 *
 * Promises: `flowToString` is a line of `ovs-ofctl --no-stats --no-names dump-flows`; `groupToString` one of dump-groups; `meterToString` an entry of
 * dump-meters. The parsers read these and what ovs-ofctl takes for add-flow, add-group and add-meter.
 * @throws (parsers) TextError, or AddressError for an address.
 */
import { FLOW_FLAGS, METER_FLAGS, METERS } from './constants.js';
import type { Bucket, Flow, Group, Meter, MeterBand } from './flow.js';
import { bucketWeight, GROUP_TYPES } from './group-meter.js';
import type { Match } from './match.js';
import { actionsToString, instructionsToString } from './text-action.js';
import { parseActions, parseInstructions } from './text-action-parse.js';
import { TextError } from './text-error.js';
import { matchToString } from './text-match.js';
import { matchFromParts } from './text-match-parse.js';
import { keyValues, splitTop, tokenOf } from './text-tokens.js';
import { bytesFromHex, hex0x, hexBytes, parseBig, parseNumber, parsePort, portText } from './text-value.js';

const DEFAULT_PRIORITY = 32768;

const FLAG_NAMES: readonly (readonly [flag: number, name: string])[] = [
  [FLOW_FLAGS.SEND_FLOW_REM, 'send_flow_rem'],
  [FLOW_FLAGS.CHECK_OVERLAP, 'check_overlap'],
  [FLOW_FLAGS.RESET_COUNTS, 'reset_counts'],
  [FLOW_FLAGS.NO_PKT_COUNTS, 'no_packet_counts'],
  [FLOW_FLAGS.NO_BYT_COUNTS, 'no_byte_counts'],
];

/** Each followed by a space. */
export function flowFlagsText(flags: number): string {
  let text = '';
  for (const [flag, name] of FLAG_NAMES) if ((flags & flag) !== 0) text += `${name} `;
  return text;
}

export function flowToString(flow: Flow): string {
  const { cookie, table, idle_timeout = 0, hard_timeout = 0, flags = 0 } = flow;
  let text = '';
  if (cookie !== 0n) text += `cookie=${hex0x(cookie)}, `;
  if (table !== 0) text += `table=${table}, `;
  if (idle_timeout !== 0) text += `idle_timeout=${idle_timeout}, `;
  if (hard_timeout !== 0) text += `hard_timeout=${hard_timeout}, `;
  text += flowFlagsText(flags);
  const match = matchToString(flow.match, flow.priority);
  if (match !== '') text += `${match} `;
  return `${text}actions=${instructionsToString(flow.instructions)}`;
}

/** Counters and ages that a dump with statistics shows; they are not part of a flow. */
const STATISTICS = new Set(['duration', 'n_packets', 'n_bytes', 'idle_age', 'hard_age', 'importance']);

export function parseFlow(text: string): Flow {
  const at = /(?:^|[\s,])actions?=/.exec(text);
  const head = at === null ? text : text.slice(0, at.index);
  const instructions = at === null ? [] : parseInstructions(text.slice(at.index + at[0].length));
  const flow: { -readonly [K in keyof Flow]: Flow[K] } = { table: 0, priority: DEFAULT_PRIORITY, match: [], instructions, cookie: 0n };
  const match: [string, string][] = [];
  let flags = 0;
  for (const [name, value] of keyValues(head)) {
    const flag = FLAG_NAMES.find(([, flagName]) => flagName === name);
    if (flag !== undefined && value === '') flags |= flag[0];
    else if (name === 'cookie') flow.cookie = parseBig(value, 64);
    else if (name === 'table') flow.table = parseNumber(value, 8);
    else if (name === 'priority') flow.priority = parseNumber(value, 16);
    else if (name === 'idle_timeout' || name === 'hard_timeout') flow[name] = parseNumber(value, 16);
    else if (!STATISTICS.has(name)) match.push([name, value]);
  }
  if (flags !== 0) flow.flags = flags;
  return { ...flow, match: matchFromParts(match) };
}

export function parseMatch(text: string): Match {
  return matchFromParts(keyValues(text.trim()));
}

function groupTypeText(type: Group['type']): string {
  return type === 'fast_failover' ? 'ff' : type;
}

function bucketText(bucket: Bucket, type: Group['type']): string {
  const weight = bucketWeight(bucket, type);
  let text = 'bucket=';
  if (weight !== (type === 'select' ? 1 : 0)) text += `weight:${weight},`;
  if (bucket.watch_port !== undefined) text += `watch_port:${portText(bucket.watch_port)},`;
  if (bucket.watch_group !== undefined) text += `watch_group:${bucket.watch_group},`;
  return `${text}actions=${actionsToString(bucket.actions)}`;
}

export function groupToString(group: Group): string {
  return [
    `group_id=${group.group_id}`,
    `type=${groupTypeText(group.type)}`,
    ...group.buckets.map((bucket) => bucketText(bucket, group.type)),
  ].join();
}

export function parseGroup(text: string): Group {
  // Buckets hold commas of their own: a bucket goes on until the next one.
  const [head = '', ...buckets] = text.trim().split(/(?:^|[\s,])bucket=/);
  const keys = new Map(keyValues(head));
  const type = keys.get('type');
  const known = GROUP_TYPES.find((name) => name === type || groupTypeText(name) === type);
  if (known === undefined) throw new TextError(text, 'type=all, select, indirect or ff expected');
  return { group_id: parseNumber(keys.get('group_id') ?? '', 32), type: known, buckets: buckets.map(parseBucket) };
}

/** What is no attribute is an action, with or without `actions=` before it. */
function parseBucket(text: string): Bucket {
  const bucket: { -readonly [K in keyof Bucket]: Bucket[K] } = { actions: [] };
  const actions: string[] = [];
  for (const part of splitTop(text, ', ')) {
    const { name, argument = '' } = tokenOf(part);
    if (name === 'weight') bucket.weight = parseNumber(argument, 16);
    else if (name === 'watch_port') bucket.watch_port = parsePort(argument);
    else if (name === 'watch_group') bucket.watch_group = parseNumber(argument, 32);
    else if (name !== 'bucket_id') actions.push(part.replace(/^actions?=/, ''));
  }
  return { ...bucket, actions: parseActions(actions.join()) };
}

/** `meter=1`, `meter:all`. */
export function meterIdText(meterId: number, separator: '=' | ':'): string {
  if (meterId <= METERS.MAX) return `meter${separator}${meterId}`;
  const name = Object.entries(METERS).find(([key, id]) => key !== 'MAX' && id === meterId)?.[0];
  return `meter${separator}${name?.toLowerCase() ?? 'unknown'}`;
}

const METER_FLAG_NAMES: readonly (readonly [flag: number, name: string])[] = [
  [METER_FLAGS.KBPS, 'kbps'],
  [METER_FLAGS.PKTPS, 'pktps'],
  [METER_FLAGS.BURST, 'burst'],
  [METER_FLAGS.STATS, 'stats'],
];

/** One line for the meter and one for each band. */
export function meterToString(meter: Meter): string {
  const names = METER_FLAG_NAMES.filter(([flag]) => (meter.flags & flag) !== 0).map(([, name]) => name);
  const rest = meter.flags & ~15;
  if (rest !== 0) names.push(hex0x(rest));
  const flags = names.map((name) => `${name} `).join('');
  return `${meterIdText(meter.meter_id, '=')} ${flags}bands=${meter.bands.map((band) => `\n${bandText(band, meter.flags)}`).join('')}`;
}

function bandText(band: MeterBand, flags: number): string {
  const type = band.kind === 'unknown' ? String(band.type) : band.kind === 'experimenter' ? '65535' : band.kind;
  let text = `type=${type} rate=${band.rate}`;
  if ((flags & METER_FLAGS.BURST) !== 0) text += ` burst_size=${band.burst_size}`;
  if (band.kind === 'dscp_remark') text += ` prec_level=${band.prec_level}`;
  if (band.kind === 'experimenter') text += ` experimenter=${hex0x(band.experimenter)}`;
  if (band.kind === 'experimenter' || band.kind === 'unknown') text += ` data=${hexBytes(band.data)}`;
  return text;
}

export function parseMeter(text: string): Meter {
  const [head = '', bands = ''] = text.split(/bands?=/, 2);
  let flags = 0;
  let meterId: number | undefined;
  for (const [name, value] of keyValues(head.replaceAll('\n', ' '))) {
    const flag = METER_FLAG_NAMES.find(([, flagName]) => flagName === name);
    if (flag !== undefined) flags |= flag[0];
    else if (name === 'meter')
      meterId = Object.hasOwn(METERS, value.toUpperCase()) ? METERS[value.toUpperCase() as keyof typeof METERS] : parseNumber(value, 32);
    else if (/^0x/.test(name)) flags |= parseNumber(name, 16);
    else throw new TextError(name, 'meter, kbps, pktps, burst, stats or bands expected');
  }
  if (meterId === undefined) throw new TextError(text, 'meter=… expected');
  return { meter_id: meterId, flags, bands: bands.split(/type=/).slice(1).map(parseBand) };
}

function parseBand(text: string): MeterBand {
  const [type = '', ...rest] = splitTop(text.trim(), ', \n');
  const keys = new Map(rest.map((part) => part.split('=', 2) as [string, string]));
  const number = (name: string, bits: number): number => parseNumber(keys.get(name) ?? '0', bits);
  const rate = number('rate', 32);
  const burst_size = number('burst_size', 32);
  const data = bytesFromHex(keys.get('data') ?? '');
  switch (type) {
    case 'drop':
      return { kind: 'drop', rate, burst_size };
    case 'dscp_remark':
      return { kind: 'dscp_remark', rate, burst_size, prec_level: number('prec_level', 8) };
    case '65535':
      return { kind: 'experimenter', rate, burst_size, experimenter: number('experimenter', 32), data };
    default:
      return { kind: 'unknown', type: parseNumber(type, 16), rate, burst_size, data };
  }
}
