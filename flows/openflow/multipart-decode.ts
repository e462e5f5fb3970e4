/**
 * Bodies of multipart messages, wire to value (OpenFlow 1.3.5 §7.3.5).
 *
 * Assumes: `o` is behind the 16-byte multipart header, `end` the end of the message.
 */
import { EXPERIMENTERS, NXST_IPFIX_BRIDGE, NXST_IPFIX_FLOW, ONFST_FLOW_MONITOR } from './constants.js';
import { OF_ERRORS } from './errors.js';
import { decodeUpdates, decodeMonitors } from './flow-monitor.js';
import { decodeBands, decodeBuckets, decodeGroupType } from './group-meter.js';
import type { Group, Meter } from './flow.js';
import { decodeInstructions } from './instruction.js';
import { decodeMatch, matchEnd } from './oxm.js';
import type {
  Counter,
  FlowStats,
  FlowStatsRequest,
  GroupStats,
  IpfixStats,
  MeterStats,
  MultipartReplyBody,
  MultipartRequestBody,
  Port,
  PortStats,
} from './multipart.js';
import { exactly, fail, fixedString, need, slice, u48 } from './read.js';
import { decodeTableFeatures } from './table-features.js';

const OF = OF_ERRORS.bad_request_len;
export const PORT_SIZE = 64;

const EMPTY_KINDS = { 0: 'desc', 3: 'table', 7: 'group_desc', 8: 'group_features', 11: 'meter_features', 13: 'port_desc' } as const;

export function decodeRequestBody(view: DataView, type: number, o: number, end: number): MultipartRequestBody {
  switch (type) {
    case 0:
    case 3:
    case 7:
    case 8:
    case 11:
    case 13:
      exactly(o, end, 0, 'body', OF);
      return { kind: EMPTY_KINDS[type] };
    case 1:
      return decodeFlowRequest(view, o, end, 'flow');
    case 2:
      return decodeFlowRequest(view, o, end, 'aggregate');
    case 4:
      exactly(o, end, 8, 'a port request', OF);
      return { kind: 'port_stats', port_no: view.getUint32(o) };
    case 5:
      exactly(o, end, 8, 'a queue request', OF);
      return { kind: 'queue', port_no: view.getUint32(o), queue_id: view.getUint32(o + 4) };
    case 6:
      exactly(o, end, 8, 'a group request', OF);
      return { kind: 'group', group_id: view.getUint32(o) };
    case 9:
    case 10:
      exactly(o, end, 8, 'a meter request', OF);
      return { kind: type === 9 ? 'meter' : 'meter_config', meter_id: view.getUint32(o) };
    case 12:
      return { kind: 'table_features', tables: decodeTableFeatures(view, o, end) };
    case 0xffff:
      return decodeExperimenterRequest(view, o, end);
    default:
      return { kind: 'unknown', type, data: slice(view, o, end) };
  }
}

function decodeFlowRequest(view: DataView, o: number, end: number, kind: 'flow' | 'aggregate'): FlowStatsRequest {
  need(o, end, 40, 'a flow request', OF);
  exactly(matchEnd(view, o + 32, end), end, 0, 'anything behind the match', OF);
  return {
    kind,
    table: view.getUint8(o),
    out_port: view.getUint32(o + 4),
    out_group: view.getUint32(o + 8),
    cookie: view.getBigUint64(o + 16),
    cookie_mask: view.getBigUint64(o + 24),
    match: decodeMatch(view, o + 32),
  };
}

function decodeExperimenterRequest(view: DataView, o: number, end: number): MultipartRequestBody {
  need(o, end, 8, 'an experimenter header', OF);
  const experimenter = view.getUint32(o);
  const exp_type = view.getUint32(o + 4);
  if (experimenter === EXPERIMENTERS.ONF && exp_type === ONFST_FLOW_MONITOR) {
    return { kind: 'flow_monitor', monitors: decodeMonitors(view, o + 8, end) };
  }
  if (experimenter === EXPERIMENTERS.NICIRA && (exp_type === NXST_IPFIX_BRIDGE || exp_type === NXST_IPFIX_FLOW)) {
    exactly(o + 8, end, 0, 'body', OF);
    return { kind: exp_type === NXST_IPFIX_BRIDGE ? 'ipfix_bridge' : 'ipfix_flow' };
  }
  return { kind: 'experimenter', experimenter, exp_type, data: slice(view, o + 8, end) };
}

/** Entries of one fixed size that fill the body. */
function entries<T>(view: DataView, o: number, end: number, size: number, what: string, decode: (view: DataView, o: number) => T): T[] {
  if ((end - o) % size !== 0) fail('bad_length', end - ((end - o) % size), `${what} of ${size} bytes each`, OF);
  const list: T[] = [];
  for (let at = o; at < end; at += size) list.push(decode(view, at));
  return list;
}

export function decodeReplyBody(view: DataView, type: number, o: number, end: number): MultipartReplyBody {
  switch (type) {
    case 0:
      exactly(o, end, 1056, 'a switch description', OF);
      return {
        kind: 'desc',
        mfr_desc: fixedString(view, o, 256),
        hw_desc: fixedString(view, o + 256, 256),
        sw_desc: fixedString(view, o + 512, 256),
        serial_num: fixedString(view, o + 768, 32),
        dp_desc: fixedString(view, o + 800, 256),
      };
    case 1:
      return { kind: 'flow', flows: decodeFlowStats(view, o, end) };
    case 2:
      exactly(o, end, 24, 'aggregate counters', OF);
      return {
        kind: 'aggregate',
        packet_count: view.getBigUint64(o),
        byte_count: view.getBigUint64(o + 8),
        flow_count: view.getUint32(o + 16),
      };
    case 3:
      return { kind: 'table', tables: entries(view, o, end, 24, 'table counters', decodeTable) };
    case 4:
      return { kind: 'port_stats', ports: entries(view, o, end, 112, 'port counters', decodePortStats) };
    case 5:
      return { kind: 'queue', queues: entries(view, o, end, 40, 'queue counters', decodeQueue) };
    case 6:
      return { kind: 'group', groups: decodeGroupStats(view, o, end) };
    case 7:
      return { kind: 'group_desc', groups: decodeGroupDescs(view, o, end) };
    case 8:
      exactly(o, end, 40, 'group features', OF);
      return { kind: 'group_features', features: decodeGroupFeatures(view, o) };
    case 9:
      return { kind: 'meter', meters: decodeMeterStats(view, o, end) };
    case 10:
      return { kind: 'meter_config', meters: decodeMeterConfigs(view, o, end) };
    case 11:
      exactly(o, end, 16, 'meter features', OF);
      return {
        kind: 'meter_features',
        features: {
          max_meter: view.getUint32(o),
          band_types: view.getUint32(o + 4),
          capabilities: view.getUint32(o + 8),
          max_bands: view.getUint8(o + 12),
          max_color: view.getUint8(o + 13),
        },
      };
    case 12:
      return { kind: 'table_features', tables: decodeTableFeatures(view, o, end) };
    case 13:
      return { kind: 'port_desc', ports: entries(view, o, end, PORT_SIZE, 'port descriptions', decodePort) };
    case 0xffff:
      return decodeExperimenterReply(view, o, end);
    default:
      return { kind: 'unknown', type, data: slice(view, o, end) };
  }
}

function decodeExperimenterReply(view: DataView, o: number, end: number): MultipartReplyBody {
  need(o, end, 8, 'an experimenter header', OF);
  const experimenter = view.getUint32(o);
  const exp_type = view.getUint32(o + 4);
  if (experimenter === EXPERIMENTERS.ONF && exp_type === ONFST_FLOW_MONITOR) {
    return { kind: 'flow_monitor', updates: decodeUpdates(view, o + 8, end) };
  }
  if (experimenter === EXPERIMENTERS.NICIRA && (exp_type === NXST_IPFIX_BRIDGE || exp_type === NXST_IPFIX_FLOW)) {
    const stats = entries(view, o + 8, end, 88, 'IPFIX counters', decodeIpfix);
    return { kind: exp_type === NXST_IPFIX_BRIDGE ? 'ipfix_bridge' : 'ipfix_flow', stats };
  }
  return { kind: 'experimenter', experimenter, exp_type, data: slice(view, o + 8, end) };
}

function decodeFlowStats(view: DataView, start: number, end: number): FlowStats[] {
  const flows: FlowStats[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 56, 'a flow entry', OF);
    const length = view.getUint16(o);
    if (length < 56 || length > end - o) fail('bad_length', o, 'a flow entry length of at least 56 that fits', OF);
    const stop = o + length;
    const instructions = matchEnd(view, o + 48, stop);
    flows.push({
      table: view.getUint8(o + 2),
      priority: view.getUint16(o + 12),
      match: decodeMatch(view, o + 48),
      instructions: decodeInstructions(view, instructions, stop),
      cookie: view.getBigUint64(o + 24),
      idle_timeout: view.getUint16(o + 14),
      hard_timeout: view.getUint16(o + 16),
      flags: view.getUint16(o + 18),
      duration_sec: view.getUint32(o + 4),
      duration_nsec: view.getUint32(o + 8),
      packet_count: view.getBigUint64(o + 32),
      byte_count: view.getBigUint64(o + 40),
    });
    o = stop;
  }
  return flows;
}

function decodeTable(view: DataView, o: number) {
  return {
    table: view.getUint8(o),
    active_count: view.getUint32(o + 4),
    lookup_count: view.getBigUint64(o + 8),
    matched_count: view.getBigUint64(o + 16),
  };
}

function decodePortStats(view: DataView, o: number): PortStats {
  return {
    port_no: view.getUint32(o),
    rx_packets: view.getBigUint64(o + 8),
    tx_packets: view.getBigUint64(o + 16),
    rx_bytes: view.getBigUint64(o + 24),
    tx_bytes: view.getBigUint64(o + 32),
    rx_dropped: view.getBigUint64(o + 40),
    tx_dropped: view.getBigUint64(o + 48),
    rx_errors: view.getBigUint64(o + 56),
    tx_errors: view.getBigUint64(o + 64),
    rx_frame_err: view.getBigUint64(o + 72),
    rx_over_err: view.getBigUint64(o + 80),
    rx_crc_err: view.getBigUint64(o + 88),
    collisions: view.getBigUint64(o + 96),
    duration_sec: view.getUint32(o + 104),
    duration_nsec: view.getUint32(o + 108),
  };
}

function decodeQueue(view: DataView, o: number) {
  return {
    port_no: view.getUint32(o),
    queue_id: view.getUint32(o + 4),
    tx_bytes: view.getBigUint64(o + 8),
    tx_packets: view.getBigUint64(o + 16),
    tx_errors: view.getBigUint64(o + 24),
    duration_sec: view.getUint32(o + 32),
    duration_nsec: view.getUint32(o + 36),
  };
}

function decodeCounter(view: DataView, o: number): Counter {
  return { packet_count: view.getBigUint64(o), byte_count: view.getBigUint64(o + 8) };
}

function decodeGroupStats(view: DataView, start: number, end: number): GroupStats[] {
  const groups: GroupStats[] = [];
  for (let o = start; o < end;) {
    need(o, end, 40, 'group counters', OF);
    const length = view.getUint16(o);
    if (length < 40 || length > end - o) fail('bad_length', o, 'a group entry length of at least 40 that fits', OF);
    groups.push({
      group_id: view.getUint32(o + 4),
      ref_count: view.getUint32(o + 8),
      packet_count: view.getBigUint64(o + 16),
      byte_count: view.getBigUint64(o + 24),
      duration_sec: view.getUint32(o + 32),
      duration_nsec: view.getUint32(o + 36),
      buckets: entries(view, o + 40, o + length, 16, 'bucket counters', decodeCounter),
    });
    o += length;
  }
  return groups;
}

function decodeGroupDescs(view: DataView, start: number, end: number): Group[] {
  const groups: Group[] = [];
  for (let o = start; o < end;) {
    need(o, end, 8, 'a group description', OF);
    const length = view.getUint16(o);
    if (length < 8 || length > end - o) fail('bad_length', o, 'a group description length of at least 8 that fits', OF);
    groups.push({
      group_id: view.getUint32(o + 4),
      type: decodeGroupType(view, o + 2),
      buckets: decodeBuckets(view, o + 8, o + length),
    });
    o += length;
  }
  return groups;
}

function four(view: DataView, o: number): [number, number, number, number] {
  return [view.getUint32(o), view.getUint32(o + 4), view.getUint32(o + 8), view.getUint32(o + 12)];
}

function decodeGroupFeatures(view: DataView, o: number) {
  return { types: view.getUint32(o), capabilities: view.getUint32(o + 4), max_groups: four(view, o + 8), actions: four(view, o + 24) };
}

function decodeMeterStats(view: DataView, start: number, end: number): MeterStats[] {
  const meters: MeterStats[] = [];
  for (let o = start; o < end;) {
    need(o, end, 40, 'meter counters', OF);
    const length = view.getUint16(o + 4);
    if (length < 40 || length > end - o) fail('bad_length', o + 4, 'a meter entry length of at least 40 that fits', OF);
    meters.push({
      meter_id: view.getUint32(o),
      flow_count: view.getUint32(o + 12),
      packet_in_count: view.getBigUint64(o + 16),
      byte_in_count: view.getBigUint64(o + 24),
      duration_sec: view.getUint32(o + 32),
      duration_nsec: view.getUint32(o + 36),
      bands: entries(view, o + 40, o + length, 16, 'band counters', decodeCounter),
    });
    o += length;
  }
  return meters;
}

function decodeMeterConfigs(view: DataView, start: number, end: number): Meter[] {
  const meters: Meter[] = [];
  for (let o = start; o < end;) {
    need(o, end, 8, 'a meter configuration', OF);
    const length = view.getUint16(o);
    if (length < 8 || length > end - o) fail('bad_length', o, 'a meter configuration length of at least 8 that fits', OF);
    meters.push({ meter_id: view.getUint32(o + 4), flags: view.getUint16(o + 2), bands: decodeBands(view, o + 8, o + length) });
    o += length;
  }
  return meters;
}

/** `struct ofp_port` (§7.2.1), 64 bytes. */
export function decodePort(view: DataView, o: number): Port {
  return {
    port_no: view.getUint32(o),
    hw_addr: u48(view, o + 8),
    name: fixedString(view, o + 16, 16),
    config: view.getUint32(o + 32),
    state: view.getUint32(o + 36),
    curr: view.getUint32(o + 40),
    advertised: view.getUint32(o + 44),
    supported: view.getUint32(o + 48),
    peer: view.getUint32(o + 52),
    curr_speed: view.getUint32(o + 56),
    max_speed: view.getUint32(o + 60),
  };
}

function decodeIpfix(view: DataView, o: number): IpfixStats {
  return {
    total_flows: view.getBigUint64(o),
    current_flows: view.getBigUint64(o + 8),
    pkts: view.getBigUint64(o + 16),
    ipv4_pkts: view.getBigUint64(o + 24),
    ipv6_pkts: view.getBigUint64(o + 32),
    error_pkts: view.getBigUint64(o + 40),
    ipv4_error_pkts: view.getBigUint64(o + 48),
    ipv6_error_pkts: view.getBigUint64(o + 56),
    tx_pkts: view.getBigUint64(o + 64),
    tx_errors: view.getBigUint64(o + 72),
    collector_set_id: view.getUint32(o + 80),
  };
}
