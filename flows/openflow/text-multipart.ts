/**
 * Bodies of multipart messages as text, as ovs-ofctl ofp-print writes them (Open vSwitch 3.1). Table features have a shorter form of our own.
 */
import { GROUPS, PORTS } from './constants.js';
import type {
  FeatureId,
  FlowMonitor,
  FlowStats,
  FlowUpdate,
  GroupStats,
  IpfixStats,
  MeterStats,
  MultipartReplyBody,
  MultipartRequestBody,
  OxmId,
  Port,
  PortStats,
  TableFeatureProperty,
  TableFeatures,
  TableStats,
} from './multipart.js';
import { fieldByHeader } from './fields.js';
import { instructionsToString } from './text-action.js';
import { bitNames, counter, duration } from './text-common.js';
import { flowFlagsText, groupToString, meterIdText, meterToString } from './text-flow.js';
import { matchToString } from './text-match.js';
import { hex, hex0x, hexBytes, macText, portText } from './text-value.js';

const PORT_CONFIG = ['PORT_DOWN', undefined, 'NO_RECV', undefined, undefined, 'NO_FWD', 'NO_PACKET_IN'];
const PORT_STATE = ['LINK_DOWN', 'BLOCKED', 'LIVE'];
const PORT_FEATURES = [
  ...['10MB-HD', '10MB-FD', '100MB-HD', '100MB-FD', '1GB-HD', '1GB-FD', '10GB-FD', '40GB-FD', '100GB-FD', '1TB-FD', 'OTHER'],
  ...['COPPER', 'FIBER', 'AUTO_NEG', 'AUTO_PAUSE', 'AUTO_PAUSE_ASYM'],
];
const MONITOR_FLAGS = ['initial', 'add', 'delete', 'modify', 'actions', 'own'];
const REMOVED_REASONS = ['idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction'];
const METER_CAPABILITIES = ['kbps', 'pktps', 'burst', 'stats'];
const GROUP_KINDS = ['all', 'select', 'indirect', 'fast failover'];
/** OFPAT_ names by number, as ovs-ofctl calls them, in its order. */
const ACTION_NAMES: readonly (readonly [type: number, name: string])[] = [
  [0, 'output'],
  [22, 'group'],
  [25, 'set_field'],
  [18, 'strip_vlan'],
  [17, 'push_vlan'],
  [23, 'mod_nw_ttl'],
  [24, 'dec_ttl'],
  [15, 'set_mpls_ttl'],
  [16, 'dec_mpls_ttl'],
  [19, 'push_mpls'],
  [20, 'pop_mpls'],
  [21, 'set_queue'],
];
const INSTRUCTION_NAMES = ['?', 'goto_table', 'write_metadata', 'write_actions', 'apply_actions', 'clear_actions', 'meter'];
const ALL_QUEUES = 0xffffffff;
const ALL_TABLES = 0xff;
const UNKNOWN_DURATION = 0xffffffff;

export function portConfigText(config: number): string {
  return bitNames(config, PORT_CONFIG, ' ');
}

export function portFeaturesText(features: number): string {
  return bitNames(features, PORT_FEATURES, ' ');
}

/** Why a flow was removed: OFPRR_*. */
export function removedReasonText(reason: number): string {
  return REMOVED_REASONS[reason] ?? String(reason);
}

/** Names have one character per byte; most are meant as UTF-8. */
function utf8(name: string): string {
  return new TextDecoder().decode(Uint8Array.from(name, (char) => char.charCodeAt(0)));
}

/** Up to the first character that is not ASCII. */
function printable(name: string): string {
  return /^[ -~]*/.exec(name)?.[0] ?? '';
}

/** One port over several lines, the first indented by a space. */
export function portDescription(port: Port): string {
  const lines = [
    ` ${portText(port.port_no)}(${printable(port.name)}): addr:${macText(port.hw_addr)}`,
    `     config:     ${portConfigText(port.config)}`,
    `     state:      ${bitNames(port.state, PORT_STATE, ' ')}`,
  ];
  const features = (label: string, bits: number): void => {
    if (bits !== 0) lines.push(`     ${label.padEnd(11)} ${portFeaturesText(bits)}`);
  };
  features('current:', port.curr);
  features('advertised:', port.advertised);
  features('supported:', port.supported);
  features('peer:', port.peer);
  lines.push(`     speed: ${Math.floor(port.curr_speed / 1000)} Mbps now, ${Math.floor(port.max_speed / 1000)} Mbps max`);
  return lines.join('\n');
}

function groupIdText(groupId: number): string {
  return groupId === GROUPS.ALL ? 'ALL' : groupId === GROUPS.ANY ? 'ANY' : String(groupId);
}

function queueText(queueId: number): string {
  return queueId === ALL_QUEUES ? 'ALL' : String(queueId);
}

/** What follows the header of a request, with its leading space or line break. */
export function requestText(body: MultipartRequestBody): string {
  switch (body.kind) {
    case 'desc':
    case 'table':
    case 'group_features':
    case 'meter_features':
    case 'ipfix_bridge':
    case 'ipfix_flow':
      return '';
    case 'group_desc':
      return ' group_id=ALL';
    case 'port_desc':
      return ' port=ANY';
    case 'flow':
    case 'aggregate': {
      const table = body.table === ALL_TABLES ? '' : ` table=${body.table}`;
      const port = body.out_port === undefined || body.out_port === PORTS.ANY ? '' : ` out_port=${portText(body.out_port)}`;
      return `${table}${port} ${matchToString(body.match)}`;
    }
    case 'port_stats':
      return ` port_no=${portText(body.port_no)}`;
    case 'queue':
      return ` port=${portText(body.port_no)} queue=${queueText(body.queue_id)}`;
    case 'group':
      return ` group_id=${groupIdText(body.group_id)}`;
    case 'meter':
    case 'meter_config':
      return ` ${meterIdText(body.meter_id, '=')}`;
    case 'table_features':
      return body.tables.map(tableFeaturesText).join('');
    case 'flow_monitor':
      return body.monitors.map(monitorText).join('');
    case 'experimenter':
    case 'unknown':
      return opaqueText(body);
  }
}

function opaqueText(body: Extract<MultipartRequestBody, { kind: 'experimenter' | 'unknown' }>): string {
  const data = body.data.length === 0 ? '' : ` data=${hexBytes(body.data)}`;
  return body.kind === 'unknown'
    ? ` type=${body.type}${data}`
    : ` experimenter=${hex0x(body.experimenter)} exp_type=${body.exp_type}${data}`;
}

function monitorText(monitor: FlowMonitor): string {
  const port = monitor.out_port === PORTS.ANY ? '' : ` out_port=${portText(monitor.out_port)}`;
  const table = monitor.table === ALL_TABLES ? '' : ` table=${monitor.table}`;
  return `\n id=${monitor.monitor_id} flags=${bitNames(monitor.flags, MONITOR_FLAGS, ',')}${port}${table} ${matchToString(monitor.match)}`.trimEnd();
}

/** What follows the header of a reply, with its leading space or line break. */
export function replyText(body: MultipartReplyBody): string {
  switch (body.kind) {
    case 'desc':
      return `\nManufacturer: ${utf8(body.mfr_desc)}\nHardware: ${utf8(body.hw_desc)}\nSoftware: ${utf8(body.sw_desc)}\nSerial Num: ${utf8(body.serial_num)}\nDP Description: ${utf8(body.dp_desc)}`;
    case 'flow':
      return body.flows.map((flow) => `\n ${flowStatsText(flow)}`).join('');
    case 'aggregate':
      return ` packet_count=${body.packet_count} byte_count=${body.byte_count} flow_count=${body.flow_count}`;
    case 'table':
      return tableStatsText(body.tables);
    case 'port_stats':
      return ` ${body.ports.length} ports${body.ports.map(portStatsText).join('')}`;
    case 'queue': {
      const lines = body.queues.map((queue) => {
        const age = queue.duration_sec === UNKNOWN_DURATION ? '?' : duration(queue.duration_sec, queue.duration_nsec);
        const counters = `bytes=${counter(queue.tx_bytes)}, pkts=${counter(queue.tx_packets)}, errors=${counter(queue.tx_errors)}`;
        return `\n  port ${portText(queue.port_no)} queue ${queueText(queue.queue_id)}: ${counters}, duration=${age}`;
      });
      return ` ${body.queues.length} queues${lines.join('')}`;
    }
    case 'group':
      return body.groups.map(groupStatsText).join('');
    case 'group_desc':
      return body.groups.map((group) => `\n ${groupToString(group)}`).join('');
    case 'group_features':
      return groupFeaturesText(body.features);
    case 'meter':
      return body.meters.map(meterStatsText).join('\n');
    case 'meter_config':
      return body.meters.map((meter) => `\n${meterToString(meter)}`).join('\n');
    case 'meter_features': {
      const { features } = body;
      const bands = bitNames(features.band_types, [undefined, 'drop', 'dscp_remark'], ' ');
      const capabilities = bitNames(features.capabilities, METER_CAPABILITIES, ' ');
      return `\nmax_meter:${features.max_meter} max_bands:${features.max_bands} max_color:${features.max_color}\nband_types: ${bands}\ncapabilities: ${capabilities}`;
    }
    case 'table_features':
      return body.tables.map(tableFeaturesText).join('');
    case 'port_desc':
      return [...body.ports]
        .sort((a, b) => a.port_no - b.port_no)
        .map((port) => `\n${portDescription(port)}`)
        .join('');
    case 'flow_monitor':
      return body.updates.map(updateText).join('');
    case 'ipfix_bridge':
      return body.stats.map((stats) => `\n  bridge ipfix: ${ipfixText(stats)}`).join('');
    case 'ipfix_flow':
      return body.stats.map((stats) => `\n  id ${String(stats.collector_set_id).padStart(3)}: ${ipfixText(stats)}`).join('');
    case 'experimenter':
    case 'unknown':
      return opaqueText(body);
  }
}

/** A line of `ovs-ofctl dump-flows`, counters included. */
function flowStatsText(flow: FlowStats): string {
  let text = `cookie=${hex0x(flow.cookie)}, duration=${duration(flow.duration_sec, flow.duration_nsec)}, table=${flow.table}, `;
  text += `n_packets=${counter(flow.packet_count)}, n_bytes=${counter(flow.byte_count)}, `;
  if (flow.idle_timeout !== 0) text += `idle_timeout=${flow.idle_timeout}, `;
  if (flow.hard_timeout !== 0) text += `hard_timeout=${flow.hard_timeout}, `;
  text += flowFlagsText(flow.flags);
  const match = matchToString(flow.match, flow.priority);
  if (match !== '') text += `${match} `;
  return `${text}actions=${instructionsToString(flow.instructions)}`;
}

/** Tables like the one before them are one line together. */
function tableStatsText(tables: readonly TableStats[]): string {
  let text = '';
  let first: number | undefined;
  let last = 0;
  const flush = (): void => {
    if (first !== undefined) text += first === last ? `\n  table ${first}: ditto\n` : `\n  tables ${first}...${last}: ditto\n`;
    first = undefined;
  };
  for (const [index, table] of tables.entries()) {
    const before = tables[index - 1];
    const isSame =
      before?.active_count === table.active_count &&
      before.lookup_count === table.lookup_count &&
      before.matched_count === table.matched_count;
    if (isSame) {
      first ??= table.table;
      last = table.table;
      continue;
    }
    flush();
    text += `\n  table ${table.table}:\n    active=${table.active_count}, lookup=${table.lookup_count}, matched=${table.matched_count}\n`;
  }
  flush();
  return text.trimEnd();
}

function portStatsText(port: PortStats): string {
  const lines = [
    `  port ${(port.port_no & 0xffff) < 10 ? ' ' : ''}${portText(port.port_no)}: rx pkts=${counter(port.rx_packets)}, bytes=${counter(port.rx_bytes)}, ` +
      `drop=${counter(port.rx_dropped)}, errs=${counter(port.rx_errors)}, frame=${counter(port.rx_frame_err)}, over=${counter(port.rx_over_err)}, crc=${counter(port.rx_crc_err)}`,
    `           tx pkts=${counter(port.tx_packets)}, bytes=${counter(port.tx_bytes)}, drop=${counter(port.tx_dropped)}, errs=${counter(port.tx_errors)}, coll=${counter(port.collisions)}`,
  ];
  if (port.duration_sec !== UNKNOWN_DURATION) lines.push(`           duration=${duration(port.duration_sec, port.duration_nsec)}`);
  return `\n${lines.join('\n')}`;
}

function groupStatsText(group: GroupStats): string {
  const age = group.duration_sec === UNKNOWN_DURATION ? '' : `duration=${duration(group.duration_sec, group.duration_nsec)},`;
  const buckets = group.buckets.map((bucket, n) =>
    counter(bucket.packet_count) === '?' ? '' : `,bucket${n}:packet_count=${bucket.packet_count},byte_count=${bucket.byte_count}`,
  );
  return `\n group_id=${group.group_id},${age}ref_count=${group.ref_count},packet_count=${group.packet_count},byte_count=${group.byte_count}${buckets.join('')}`;
}

function groupFeaturesText(features: Extract<MultipartReplyBody, { kind: 'group_features' }>['features']): string {
  let text = `\n Group table:\n    Types:  ${hex0x(features.types)}\n    Capabilities:  ${hex0x(features.capabilities)}`;
  for (const [n, kind] of GROUP_KINDS.entries()) {
    if (((features.types >>> n) & 1) === 0) continue;
    const names = ACTION_NAMES.filter(([type]) => ((features.actions[n]! >>> type) & 1) !== 0).map(([, name]) => name);
    text += `\n    ${kind} group:\n       max_groups=${hex(features.max_groups[n]!)}\n       actions: ${names.join(' ')}`;
  }
  return text;
}

function meterStatsText(meter: MeterStats): string {
  const bands = meter.bands.map((band, n) => `\n${n}: packet_count:${band.packet_count} byte_count:${band.byte_count}`).join('');
  const age = duration(meter.duration_sec, meter.duration_nsec);
  const counts = `flow_count:${meter.flow_count} packet_in_count:${meter.packet_in_count} byte_in_count:${meter.byte_in_count}`;
  return `\n${meterIdText(meter.meter_id, ':')} ${counts} duration:${age} bands:${bands}`;
}

function updateText(update: FlowUpdate): string {
  switch (update.kind) {
    case 'abbreviated':
      return `\n event=ABBREV xid=${hex0x(update.xid)}`;
    case 'unknown':
      return `\n event=${update.event} data=${hexBytes(update.data)}`;
    default: {
      const reason = update.kind === 'deleted' ? ` reason=${removedReasonText(update.reason)}` : '';
      const idle = update.idle_timeout === 0 ? '' : ` idle_timeout=${update.idle_timeout}`;
      const hard = update.hard_timeout === 0 ? '' : ` hard_timeout=${update.hard_timeout}`;
      const match = matchToString(update.match);
      const actions =
        update.instructions.length === 0 ? '' : `${match === '' ? '' : ' '}actions=${instructionsToString(update.instructions)}`;
      return `\n event=${update.kind.toUpperCase()}${reason} table=${update.table}${idle}${hard} cookie=${hex(update.cookie)} ${match}${actions}`;
    }
  }
}

function ipfixText(stats: IpfixStats): string {
  return (
    `flows=${stats.total_flows}, current flows=${stats.current_flows}, sampled pkts=${stats.pkts}, ipv4 ok=${stats.ipv4_pkts}, ipv6 ok=${stats.ipv6_pkts}, ` +
    `tx pkts=${stats.tx_pkts}, pkts errs=${stats.error_pkts}, ipv4 errs=${stats.ipv4_error_pkts}, ipv6 errs=${stats.ipv6_error_pkts}, tx errs=${stats.tx_errors}`
  );
}

function tableFeaturesText(table: TableFeatures): string {
  const name = table.name === '' ? '' : ` ("${utf8(table.name)}")`;
  const lines = [
    `  table ${table.table}${name}:`,
    `    metadata: match=${hex(table.metadata_match)} write=${hex(table.metadata_write)}`,
    `    config=${hex0x(table.config)} max_entries=${table.max_entries}`,
    ...table.properties.map((property) => `    ${propertyText(property)}`),
  ];
  return `\n${lines.join('\n')}`;
}

function propertyText(property: TableFeatureProperty): string {
  const miss = 'miss' in property && property.miss ? ' (table miss)' : '';
  switch (property.kind) {
    case 'instructions':
      return `instructions${miss}: ${property.ids.map((id) => idText(id, INSTRUCTION_NAMES[id.type])).join(' ')}`;
    case 'write_actions':
    case 'apply_actions':
      return `${property.kind}${miss}: ${property.ids.map((id) => idText(id, ACTION_NAMES.find(([type]) => type === id.type)?.[1])).join(' ')}`;
    case 'next_tables':
      return `next_tables${miss}: ${property.tables.join(' ')}`;
    case 'match':
    case 'wildcards':
    case 'write_setfield':
    case 'apply_setfield':
      return `${property.kind}${miss}: ${property.oxms.map(oxmIdText).join(' ')}`;
    case 'experimenter':
      return `experimenter${miss}: ${hex0x(property.experimenter)} ${property.exp_type} ${hexBytes(property.data)}`;
    case 'unknown':
      return `property ${property.type}: ${hexBytes(property.data)}`;
  }
}

function idText(id: FeatureId, name: string | undefined): string {
  if (id.experimenter !== undefined) return `experimenter:${hex0x(id.experimenter)}${id.data === undefined ? '' : `:${hexBytes(id.data)}`}`;
  return name ?? String(id.type);
}

function oxmIdText(oxm: OxmId): string {
  const masked = (oxm.header & 0x100) !== 0 ? '/mask' : '';
  return `${fieldByHeader(oxm.header, oxm.experimenter ?? 0)?.name ?? hex0x(oxm.header)}${masked}`;
}
