/**
 * Bodies of multipart messages, value to wire (OpenFlow 1.3.5 §7.3.5).
 *
 * Promises: the inverse of multipart-decode.ts; the body goes into one message, or EncodeError `too_long`.
 */
import { EXPERIMENTERS, GROUPS, NXST_IPFIX_BRIDGE, NXST_IPFIX_FLOW, ONFST_FLOW_MONITOR, PORTS } from './constants.js';
import type { Group, Meter } from './flow.js';
import { encodeMonitors, encodeUpdates } from './flow-monitor.js';
import { encodeBands, encodeBuckets, groupTypeCode } from './group-meter.js';
import { encodeInstructions } from './instruction.js';
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
import { encodeMatch } from './oxm.js';
import { encodeTableFeatures } from './table-features.js';
import type { Writer } from './writer.js';

/** OFPMP_* of a body. */
export function multipartType(body: MultipartRequestBody | MultipartReplyBody): number {
  switch (body.kind) {
    case 'desc':
      return 0;
    case 'flow':
      return 1;
    case 'aggregate':
      return 2;
    case 'table':
      return 3;
    case 'port_stats':
      return 4;
    case 'queue':
      return 5;
    case 'group':
      return 6;
    case 'group_desc':
      return 7;
    case 'group_features':
      return 8;
    case 'meter':
      return 9;
    case 'meter_config':
      return 10;
    case 'meter_features':
      return 11;
    case 'table_features':
      return 12;
    case 'port_desc':
      return 13;
    case 'flow_monitor':
    case 'ipfix_bridge':
    case 'ipfix_flow':
    case 'experimenter':
      return 0xffff;
    case 'unknown':
      return body.type;
  }
}

function experimenter(w: Writer, id: number, type: number): void {
  w.u32(id);
  w.u32(type);
}

export function encodeRequestBody(w: Writer, body: MultipartRequestBody): void {
  w.room(64);
  switch (body.kind) {
    case 'desc':
    case 'table':
    case 'group_desc':
    case 'group_features':
    case 'meter_features':
    case 'port_desc':
      return;
    case 'flow':
    case 'aggregate':
      return encodeFlowRequest(w, body);
    case 'port_stats':
      w.u32(body.port_no);
      return w.u32(0);
    case 'queue':
      w.u32(body.port_no);
      return w.u32(body.queue_id);
    case 'group':
      w.u32(body.group_id);
      return w.u32(0);
    case 'meter':
    case 'meter_config':
      w.u32(body.meter_id);
      return w.u32(0);
    case 'table_features':
      return encodeTableFeatures(w, body.tables);
    case 'flow_monitor':
      experimenter(w, EXPERIMENTERS.ONF, ONFST_FLOW_MONITOR);
      return encodeMonitors(w, body.monitors);
    case 'ipfix_bridge':
      return experimenter(w, EXPERIMENTERS.NICIRA, NXST_IPFIX_BRIDGE);
    case 'ipfix_flow':
      return experimenter(w, EXPERIMENTERS.NICIRA, NXST_IPFIX_FLOW);
    case 'experimenter':
      experimenter(w, body.experimenter, body.exp_type);
      return w.bytes(body.data);
    case 'unknown':
      return w.bytes(body.data);
  }
}

function encodeFlowRequest(w: Writer, body: FlowStatsRequest): void {
  w.u8(body.table);
  w.zeros(3);
  w.u32(body.out_port ?? PORTS.ANY);
  w.u32(body.out_group ?? GROUPS.ANY);
  w.zeros(4);
  w.u64(body.cookie ?? 0n);
  w.u64(body.cookie_mask ?? 0n);
  encodeMatch(w, body.match);
}

export function encodeReplyBody(w: Writer, body: MultipartReplyBody): void {
  w.room(64);
  switch (body.kind) {
    case 'desc':
      w.room(1056);
      w.string(body.mfr_desc, 256);
      w.string(body.hw_desc, 256);
      w.string(body.sw_desc, 256);
      w.string(body.serial_num, 32);
      return w.string(body.dp_desc, 256);
    case 'flow':
      for (const flow of body.flows) encodeFlowStats(w, flow);
      return;
    case 'aggregate':
      w.u64(body.packet_count);
      w.u64(body.byte_count);
      w.u32(body.flow_count);
      return w.u32(0);
    case 'table':
      for (const table of body.tables) {
        w.room(24);
        w.u8(table.table);
        w.zeros(3);
        w.u32(table.active_count);
        w.u64(table.lookup_count);
        w.u64(table.matched_count);
      }
      return;
    case 'port_stats':
      for (const port of body.ports) encodePortStats(w, port);
      return;
    case 'queue':
      for (const queue of body.queues) {
        w.room(40);
        w.u32(queue.port_no);
        w.u32(queue.queue_id);
        w.u64(queue.tx_bytes);
        w.u64(queue.tx_packets);
        w.u64(queue.tx_errors);
        w.u32(queue.duration_sec);
        w.u32(queue.duration_nsec);
      }
      return;
    case 'group':
      for (const group of body.groups) encodeGroupStats(w, group);
      return;
    case 'group_desc':
      for (const group of body.groups) encodeGroupDesc(w, group);
      return;
    case 'group_features':
      w.u32(body.features.types);
      w.u32(body.features.capabilities);
      for (const max of body.features.max_groups) w.u32(max);
      for (const actions of body.features.actions) w.u32(actions);
      return;
    case 'meter':
      for (const meter of body.meters) encodeMeterStats(w, meter);
      return;
    case 'meter_config':
      for (const meter of body.meters) encodeMeterConfig(w, meter);
      return;
    case 'meter_features':
      w.u32(body.features.max_meter);
      w.u32(body.features.band_types);
      w.u32(body.features.capabilities);
      w.u8(body.features.max_bands);
      w.u8(body.features.max_color);
      return w.zeros(2);
    case 'table_features':
      return encodeTableFeatures(w, body.tables);
    case 'port_desc':
      for (const port of body.ports) encodePort(w, port);
      return;
    case 'flow_monitor':
      experimenter(w, EXPERIMENTERS.ONF, ONFST_FLOW_MONITOR);
      return encodeUpdates(w, body.updates);
    case 'ipfix_bridge':
    case 'ipfix_flow':
      experimenter(w, EXPERIMENTERS.NICIRA, body.kind === 'ipfix_bridge' ? NXST_IPFIX_BRIDGE : NXST_IPFIX_FLOW);
      for (const stats of body.stats) encodeIpfix(w, stats);
      return;
    case 'experimenter':
      experimenter(w, body.experimenter, body.exp_type);
      return w.bytes(body.data);
    case 'unknown':
      return w.bytes(body.data);
  }
}

function encodeFlowStats(w: Writer, flow: FlowStats): void {
  w.room(56);
  const start = w.pos;
  w.u16(0);
  w.u8(flow.table);
  w.u8(0);
  w.u32(flow.duration_sec);
  w.u32(flow.duration_nsec);
  w.u16(flow.priority);
  w.u16(flow.idle_timeout);
  w.u16(flow.hard_timeout);
  w.u16(flow.flags);
  w.u32(0);
  w.u64(flow.cookie);
  w.u64(flow.packet_count);
  w.u64(flow.byte_count);
  encodeMatch(w, flow.match);
  encodeInstructions(w, flow.instructions);
  w.view.setUint16(start, w.pos - start);
}

function encodePortStats(w: Writer, port: PortStats): void {
  w.room(112);
  w.u32(port.port_no);
  w.u32(0);
  w.u64(port.rx_packets);
  w.u64(port.tx_packets);
  w.u64(port.rx_bytes);
  w.u64(port.tx_bytes);
  w.u64(port.rx_dropped);
  w.u64(port.tx_dropped);
  w.u64(port.rx_errors);
  w.u64(port.tx_errors);
  w.u64(port.rx_frame_err);
  w.u64(port.rx_over_err);
  w.u64(port.rx_crc_err);
  w.u64(port.collisions);
  w.u32(port.duration_sec);
  w.u32(port.duration_nsec);
}

function encodeCounters(w: Writer, counters: readonly Counter[]): void {
  for (const counter of counters) {
    w.room(16);
    w.u64(counter.packet_count);
    w.u64(counter.byte_count);
  }
}

function encodeGroupStats(w: Writer, group: GroupStats): void {
  w.room(40);
  const start = w.pos;
  w.u32(0);
  w.u32(group.group_id);
  w.u32(group.ref_count);
  w.u32(0);
  w.u64(group.packet_count);
  w.u64(group.byte_count);
  w.u32(group.duration_sec);
  w.u32(group.duration_nsec);
  encodeCounters(w, group.buckets);
  w.view.setUint16(start, w.pos - start);
}

function encodeGroupDesc(w: Writer, group: Group): void {
  w.room(8);
  const start = w.pos;
  w.u16(0);
  w.u8(groupTypeCode(group.type));
  w.u8(0);
  w.u32(group.group_id);
  encodeBuckets(w, group.buckets, group.type);
  w.view.setUint16(start, w.pos - start);
}

function encodeMeterStats(w: Writer, meter: MeterStats): void {
  w.room(40);
  const start = w.pos;
  w.u32(meter.meter_id);
  w.u32(0);
  w.u32(0);
  w.u32(meter.flow_count);
  w.u64(meter.packet_in_count);
  w.u64(meter.byte_in_count);
  w.u32(meter.duration_sec);
  w.u32(meter.duration_nsec);
  encodeCounters(w, meter.bands);
  w.view.setUint16(start + 4, w.pos - start);
}

function encodeMeterConfig(w: Writer, meter: Meter): void {
  w.room(8);
  const start = w.pos;
  w.u16(0);
  w.u16(meter.flags);
  w.u32(meter.meter_id);
  encodeBands(w, meter.bands);
  w.view.setUint16(start, w.pos - start);
}

/** `struct ofp_port` (§7.2.1), 64 bytes. */
export function encodePort(w: Writer, port: Port): void {
  w.room(64);
  w.u32(port.port_no);
  w.u32(0);
  w.u48(port.hw_addr);
  w.u16(0);
  w.string(port.name, 16);
  w.u32(port.config);
  w.u32(port.state);
  w.u32(port.curr);
  w.u32(port.advertised);
  w.u32(port.supported);
  w.u32(port.peer);
  w.u32(port.curr_speed);
  w.u32(port.max_speed);
}

function encodeIpfix(w: Writer, stats: IpfixStats): void {
  w.room(88);
  w.u64(stats.total_flows);
  w.u64(stats.current_flows);
  w.u64(stats.pkts);
  w.u64(stats.ipv4_pkts);
  w.u64(stats.ipv6_pkts);
  w.u64(stats.error_pkts);
  w.u64(stats.ipv4_error_pkts);
  w.u64(stats.ipv6_error_pkts);
  w.u64(stats.tx_pkts);
  w.u64(stats.tx_errors);
  w.u32(stats.collector_set_id);
  w.u32(0);
}
