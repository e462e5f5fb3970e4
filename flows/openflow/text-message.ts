/**
 * Messages as text, as ovs-ofctl ofp-print writes them (Open vSwitch 3.1).
 *
 * Promises: a name, the version and the xid on the first line, whatever the message; packets are printed as bytes.
 */
import { NO_BUFFER, PACKET_IN_REASONS } from './constants.js';
import { errorName } from './error-codes.js';
import type { Match } from './match.js';
import type { AsyncMasks, CtTuple, ErrorMessage, FlowModMessage, HelloMessage, Message, PacketIn2Message, TlvMapping } from './message.js';
import { MESSAGES, MULTIPARTS } from './support.js';
import { actionsToString, instructionsToString } from './text-action.js';
import { bitNames, duration, hexDump } from './text-common.js';
import { flowFlagsText, groupToString, meterToString } from './text-flow.js';
import { matchToString } from './text-match.js';
import { portConfigText, portDescription, portFeaturesText, removedReasonText, replyText, requestText } from './text-multipart.js';
import { dotted, hex, hex0x, hexBytes, ipv4Text, ipv6Text, macText, portText } from './text-value.js';

const VERSIONS: Readonly<Record<number, string>> = { 2: 'OF1.1', 3: 'OF1.2', 4: 'OF1.3', 5: 'OF1.4', 6: 'OF1.5' };
const CAPABILITIES = [
  'FLOW_STATS',
  'TABLE_STATS',
  'PORT_STATS',
  'GROUP_STATS',
  undefined,
  'IP_REASM',
  'QUEUE_STATS',
  undefined,
  'PORT_BLOCKED',
];
const FRAGMENTS = ['normal', 'drop', 'reassemble', 'nx-match'];
const ROLE_NAMES = { nochange: 'nochange', equal: 'equal', master: 'primary', slave: 'secondary' } as const;
const ROLE_REASONS = ['primary_request', 'configuration_changed', 'experimenter_data_changed'];
const FLOW_COMMANDS = { add: 'ADD', modify: 'MOD', modify_strict: 'MOD_STRICT', delete: 'DEL', delete_strict: 'DEL_STRICT' } as const;
const MOD_COMMANDS = { add: 'ADD', modify: 'MOD', delete: 'DEL', add_or_modify: 'ADD_OR_MOD' } as const;
const PORT_REASONS = ['add', 'delete', 'modify'];
const PORT_STATUS = ['ADD', 'DEL', 'MOD'];
const PACKET_IN_FORMATS = ['standard', 'nxt_packet_in', 'nxt_packet_in2'];
const NO_COOKIE = 0xffff_ffff_ffff_ffffn;

/** Name and, behind the colon, the contents. Messages inside (errors, bundles) are printed by `nested`. */
export function messageToString(message: Message, xid: number, nested: (bytes: Uint8Array) => string = hexDump): string {
  const version = message.kind === 'hello' || message.kind === 'error' ? (message.version ?? 4) : 4;
  const label = version === 1 ? '' : ` (${VERSIONS[version] ?? `OF 0x${version.toString(16).padStart(2, '0')}`})`;
  return `${nameOf(message)}${label} (xid=${hex0x(xid)}):${bodyText(message, xid, nested)}`.trimEnd();
}

function nameOf(message: Message): string {
  switch (message.kind) {
    case 'multipart_request':
      return `${message.body.kind === 'unknown' ? 'OFPST_UNKNOWN' : MULTIPARTS[message.body.kind].name} request`;
    case 'multipart_reply':
      return `${message.body.kind === 'unknown' ? 'OFPST_UNKNOWN' : MULTIPARTS[message.body.kind].name} reply`;
    case 'unknown':
      return `OFPT_UNKNOWN(${message.type})`;
    default:
      return MESSAGES[message.kind].name;
  }
}

function bodyText(message: Message, xid: number, nested: (bytes: Uint8Array) => string): string {
  switch (message.kind) {
    case 'hello':
      return helloText(message);
    case 'error':
      return errorText(message, nested);
    case 'echo_request':
    case 'echo_reply':
      return ` ${message.data.length} bytes of payload\n${hexDump(message.data)}`;
    case 'features_request':
    case 'get_config_request':
    case 'barrier_request':
    case 'barrier_reply':
    case 'get_async_request':
    case 'tlv_table_request':
    case 'flow_monitor_paused':
    case 'flow_monitor_resumed':
      return '';
    case 'features_reply': {
      const auxiliary = message.auxiliary_id === 0 ? '' : `, auxiliary_id:${message.auxiliary_id}`;
      const dpid = message.datapath_id.toString(16).padStart(16, '0');
      const capabilities = bitNames(message.capabilities, CAPABILITIES, ' ');
      return ` dpid:${dpid}\nn_tables:${message.n_tables}, n_buffers:${message.n_buffers}${auxiliary}\ncapabilities: ${capabilities}`;
    }
    case 'get_config_reply':
    case 'set_config':
      return ` frags=${FRAGMENTS[message.flags & 3]}${(message.flags & 4) === 0 ? '' : ' invalid_ttl_to_controller'} miss_send_len=${message.miss_send_len}`;
    case 'packet_in':
    case 'nx_packet_in':
      return `${packetInHead(message)}${packetText(message.data)}`;
    case 'packet_in2':
    case 'resume':
      return packetIn2Text(message);
    case 'flow_removed': {
      const table = message.table === 255 ? '' : ` table_id=${message.table}`;
      const cookie = message.cookie === 0n ? '' : ` cookie:${hex0x(message.cookie)}`;
      const hard = message.hard_timeout === 0 ? '' : ` hard${message.hard_timeout}`;
      const age = duration(message.duration_sec, message.duration_nsec);
      return ` ${matchToString(message.match, message.priority)} reason=${removedReasonText(message.reason)}${table}${cookie} duration${age} idle${message.idle_timeout}${hard} pkts${message.packet_count} bytes${message.byte_count}`;
    }
    case 'port_status':
      return ` ${PORT_STATUS[message.reason] ?? message.reason}:${portDescription(message.port)}`;
    case 'packet_out': {
      const head = ` in_port=${portText(message.in_port)} actions=${actionsToString(message.actions)}`;
      if (message.buffer_id !== undefined && message.buffer_id !== NO_BUFFER)
        return `${head} buffer=0x${message.buffer_id.toString(16).padStart(8, '0')}`;
      return `${head} data_len=${message.data.length}${packetText(message.data)}`;
    }
    case 'flow_mod':
      return flowModText(message);
    case 'group_mod':
      return `\n ${MOD_COMMANDS[message.command]} ${groupToString(message.group)}`;
    case 'meter_mod':
      return ` ${MOD_COMMANDS[message.command]} ${meterToString(message.meter)}`;
    case 'port_mod': {
      const advertise = message.advertise === 0 ? 'UNCHANGED' : portFeaturesText(message.advertise);
      const config = `     config: ${portConfigText(message.config)}\n     mask:   ${portConfigText(message.mask)}`;
      return ` port: ${portText(message.port_no)}: addr:${macText(message.hw_addr)}\n${config}\n     advertise: ${advertise}`;
    }
    case 'table_mod':
      return message.table === 255 ? ' table_id: ALL_TABLES' : ` table_id=${message.table}`;
    case 'multipart_request':
      return `${multipartFlags(message.flags)}${requestText(message.body)}`;
    case 'multipart_reply':
      return `${multipartFlags(message.flags)}${replyText(message.body)}`;
    case 'queue_get_config_request':
      return ` port=${portText(message.port)}`;
    case 'queue_get_config_reply': {
      const sorted = [...message.queues].sort((a, b) => a.queue_id - b.queue_id);
      const rates = sorted.map((queue) => {
        const parts = queue.properties.map((entry) =>
          entry.kind === 'min_rate' || entry.kind === 'max_rate' ? rateText(entry.kind, entry.rate) : '',
        );
        return `\nqueue ${queue.queue_id}:${parts.join('')}`;
      });
      return ` port=${portText(message.port)}${rates.join('')}`;
    }
    case 'role_request':
    case 'role_reply':
      return roleText(message.role, message.generation_id);
    case 'role_status':
      return `${roleText(message.role, message.generation_id)} reason=${ROLE_REASONS[message.reason] ?? '(unknown)'}`;
    case 'get_async_reply':
    case 'set_async':
    case 'nx_set_async_config':
      return asyncText(message);
    case 'nx_set_async_config2':
      return message.properties
        .map(
          (entry) =>
            `\n property ${entry.kind === 'mask' ? `${entry.type}: ${hex0x(entry.mask)}` : `${entry.type}: ${hexBytes(entry.data)}`}`,
        )
        .join('');
    case 'bundle_control':
      return `\n bundle_id=${hex(message.bundle_id)} type=${message.type.toUpperCase()} flags=${bitNames(message.flags, ['atomic', 'ordered'], ' ')}`;
    case 'bundle_add':
      return `\n bundle_id=${hex(message.bundle_id)} flags=${bitNames(message.flags, ['atomic', 'ordered'], ' ')}\n${messageToString(message.message, xid, nested)}`;
    case 'requestforward': {
      const { request } = message;
      if (request.kind === 'group_mod') return ` reason=group_mod${bodyText(request, message.request_xid, nested)}`;
      if (request.kind === 'meter_mod') return ` reason=meter_mod${bodyText(request, message.request_xid, nested)}`;
      return `\n${messageToString(request, message.request_xid, nested)}`;
    }
    case 'flow_monitor_cancel':
      return ` id=${message.monitor_id}`;
    case 'set_packet_in_format':
      return ` format=${PACKET_IN_FORMATS[message.format] ?? message.format}`;
    case 'set_flow_format':
      return ` format=${message.format === 0 ? 'openflow10' : message.format === 2 ? 'nxm' : '(unknown)'}`;
    case 'set_controller_id':
      return ` id=${message.controller_id}`;
    case 'flow_mod_table_id':
      return message.set ? ' enable' : ' disable';
    case 'tlv_table_mod':
      return `\n ${message.command === 'delete' ? 'DEL' : message.command.toUpperCase()}${message.command === 'clear' ? '' : tlvTable(message.mappings)}`;
    case 'tlv_table_reply': {
      const allocated = message.mappings.reduce((sum, mapping) => sum + mapping.option_length, 0);
      return `\n max option space=${message.max_option_space} max fields=${message.max_fields}\n allocated option space=${allocated}\n\n${tlvTable(message.mappings)}`;
    }
    case 'ct_flush_zone':
      return ` zone_id=${message.zone}`;
    case 'ct_flush':
      return ` zone=${message.zone ?? 0} '${tupleText(message.original ?? {}, message.ip_proto)},ct_nw_proto=${message.ip_proto}' '${tupleText(message.reply ?? {}, message.ip_proto)}'`;
    case 'experimenter':
      return ` experimenter=${hex0x(message.experimenter)} exp_type=${message.exp_type}${message.data.length === 0 ? '' : ` data=${hexBytes(message.data)}`}`;
    case 'unknown':
      return message.data.length === 0 ? '' : ` data=${hexBytes(message.data)}`;
  }
}

function multipartFlags(flags: number): string {
  if (flags === 0) return '';
  const rest = flags & ~1;
  return ` flags=${(flags & 1) === 0 ? '' : '[more]'}${rest === 0 ? '' : `[***unknown flags 0x${rest.toString(16).padStart(4, '0')}***]`}`;
}

function helloText(message: HelloMessage): string {
  let versions: number[] = [];
  for (const element of message.elements) {
    if (element.kind !== 'version_bitmap') continue;
    const [word = 0] = element.bitmaps;
    versions = Array.from({ length: 32 }, (_, n) => n).filter((n) => ((word >>> n) & 1) !== 0);
  }
  if (versions.length === 0) versions = Array.from({ length: message.version }, (_, n) => n + 1);
  return `\n version bitmap: ${versions.map((version) => `0x${version.toString(16).padStart(2, '0')}`).join(', ')}`;
}

/** ASCII, the rest as octal escapes. */
function printable(data: Uint8Array): string {
  return Array.from(data, (byte) =>
    byte >= 32 && byte < 127 && byte !== 92 ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`,
  ).join('');
}

function errorText(message: ErrorMessage, nested: (bytes: Uint8Array) => string): string {
  const name = errorName(message);
  if (message.type === 0) return ` ${name}\n${printable(message.data)}`;
  return message.data.length === 0 ? ` ${name}` : ` ${name}\n${nested(message.data)}`;
}

function packetText(data: Uint8Array): string {
  return data.length === 0 ? '' : `\n${hexBytes(data)}`;
}

interface PacketInHead {
  readonly table: number;
  readonly cookie: bigint;
  readonly total_len: number;
  readonly match: Match;
  readonly reason: number;
  readonly data: Uint8Array;
  readonly buffer_id: number;
}

function packetInHead(packet: PacketInHead): string {
  const table = packet.table === 0 ? '' : ` table_id=${packet.table}`;
  const cookie = packet.cookie === NO_COOKIE ? '' : ` cookie=${hex0x(packet.cookie)}`;
  const { length } = packet.data;
  const isBuffered = packet.buffer_id !== NO_BUFFER;
  const buffer = isBuffered ? `buffer=0x${packet.buffer_id.toString(16).padStart(8, '0')}` : '(unbuffered)';
  const isOdd = isBuffered ? packet.total_len < length : packet.total_len !== length;
  const odd = isOdd ? ` (***total_len ${isBuffered ? '<' : '!='} data_len***)` : '';
  const via = PACKET_IN_REASONS[packet.reason] ?? String(packet.reason);
  return `${table}${cookie} total_len=${packet.total_len} ${matchToString(packet.match)} (via ${via}) data_len=${length} ${buffer}${odd}`;
}

function packetIn2Text(message: PacketIn2Message): string {
  const { table = 0, cookie = NO_COOKIE, reason = 0, metadata = [], packet = new Uint8Array(0), buffer_id = NO_BUFFER } = message;
  const { full_length = packet.length, userdata, continuation } = message;
  const lines = [packetInHead({ table, cookie, total_len: full_length, match: metadata, reason, data: packet, buffer_id })];
  if (userdata !== undefined && userdata.length > 0) lines.push(` userdata=${dotted(userdata)}`);
  if (continuation !== undefined) lines.push(` continuation=${hexBytes(continuation)}`);
  for (const { type, data } of message.unknown ?? []) lines.push(` property ${type}=${hexBytes(data)}`);
  return `${lines.join('\n')}${packetText(packet)}`;
}

function flowModText(message: FlowModMessage): string {
  const { flow } = message;
  const match = matchToString(flow.match, flow.priority);
  let text = ` ${FLOW_COMMANDS[message.command]}${flow.table === 0 ? '' : ` table:${flow.table}`} ${match}${match === '' ? '' : ' '}`;
  const mask = message.cookie_mask ?? 0n;
  const isAdd = message.command === 'add';
  if (flow.cookie !== 0n && flow.cookie !== NO_COOKIE && (isAdd || mask === 0n)) text += `cookie:${hex0x(flow.cookie)} `;
  if (mask !== 0n && !isAdd) text += `cookie:${hex0x(flow.cookie)}/${hex0x(mask)} `;
  if ((flow.idle_timeout ?? 0) !== 0) text += `idle:${flow.idle_timeout} `;
  if ((flow.hard_timeout ?? 0) !== 0) text += `hard:${flow.hard_timeout} `;
  if (message.buffer_id !== undefined && message.buffer_id !== NO_BUFFER) text += `buf:${hex0x(message.buffer_id)} `;
  if (message.out_port !== undefined && message.out_port !== 0xffffffff) text += `out_port:${portText(message.out_port)} `;
  return `${text}${flowFlagsText(flow.flags ?? 0)}actions=${instructionsToString(flow.instructions)}`;
}

function rateText(name: string, rate: number): string {
  if (rate <= 1000) return ` ${name}:${Math.floor(rate / 10)}.${rate % 10}%`;
  return rate < 0xffff ? ` ${name}:(disabled)` : '';
}

function roleText(role: keyof typeof ROLE_NAMES, generationId: bigint): string {
  return ` role=${ROLE_NAMES[role]}${role === 'nochange' || generationId === NO_COOKIE ? '' : ` generation_id=${generationId}`}`;
}

function asyncText(message: AsyncMasks): string {
  const reasons = (mask: number, names: readonly string[]): string => {
    if (mask === 0) return ' (off)';
    return Array.from({ length: 32 }, (_, bit) => (((mask >>> bit) & 1) === 0 ? '' : ` ${names[bit] ?? bit}`)).join('');
  };
  const block = (index: 0 | 1): string => {
    const rows: [string, string][] = [
      ['PACKET_IN', reasons(message.packet_in_mask[index], PACKET_IN_REASONS)],
      ['PORT_STATUS', reasons(message.port_status_mask[index], PORT_REASONS)],
      ['FLOW_REMOVED', reasons(message.flow_removed_mask[index], ['idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction'])],
      ['ROLE_STATUS', ' (off)'],
      ['TABLE_STATUS', ' (off)'],
      ['REQUESTFORWARD', ' (off)'],
    ];
    return rows.map(([name, text]) => `${name.padStart(16)}:${text}\n`).join('');
  };
  return `\n primary:\n${block(0)}\n secondary:\n${block(1)}`;
}

function tlvTable(mappings: readonly TlvMapping[]): string {
  const rows = mappings.map(
    (mapping) =>
      `\n ${hex(mapping.option_class).padStart(6)}  ${hex(mapping.option_type).padStart(4)}  ${String(mapping.option_length).padStart(6)}  tun_metadata${mapping.index}`,
  );
  return ` mapping table:\n  class  type  length  match field\n ------  ----  ------  --------------${rows.join('')}`;
}

function tupleText(tuple: CtTuple, protocol: number): string {
  const isIpv4 = tuple.ipv4_src !== undefined || tuple.ipv4_dst !== undefined;
  const name = isIpv4 ? 'ct_nw' : 'ct_ipv6';
  const text = (ipv4: number | undefined, ipv6: bigint | undefined): string => (isIpv4 ? ipv4Text(ipv4 ?? 0) : ipv6Text(ipv6 ?? 0n));
  const addresses = `${name}_src=${text(tuple.ipv4_src, tuple.ipv6_src)},${name}_dst=${text(tuple.ipv4_dst, tuple.ipv6_dst)}`;
  if (protocol === 1 || protocol === 58)
    return `${addresses},icmp_id=${tuple.icmp_id ?? 0},icmp_type=${tuple.icmp_type ?? 0},icmp_code=${tuple.icmp_code ?? 0}`;
  return `${addresses},ct_tp_src=${tuple.src_port ?? 0},ct_tp_dst=${tuple.dst_port ?? 0}`;
}
