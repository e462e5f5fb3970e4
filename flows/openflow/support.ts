/**
 * What the codec supports, as data: the names and places in the specifications of every message, multipart body, instruction, action and meter band.
 *
 * Promises: complete by type: a kind without a row does not compile. docs/openflow.md lists these tables; text-message.ts takes its names from here.
 */
import type { Action, Instruction } from './action.js';
import type { MeterBand } from './flow.js';
import type { MessageKind } from './message.js';
import type { MultipartReplyBody, MultipartRequestBody } from './multipart.js';

export interface Supported {
  /** As in the specification or in the headers of Open vSwitch. */
  readonly name: string;
  /** Section of OpenFlow 1.3.5, ONF extension, or `Nicira`. */
  readonly spec: string;
}

export const MESSAGES: Readonly<Record<MessageKind, Supported>> = {
  hello: { name: 'OFPT_HELLO', spec: '§7.5.1' },
  error: { name: 'OFPT_ERROR', spec: '§7.4.4' },
  echo_request: { name: 'OFPT_ECHO_REQUEST', spec: '§7.5.2' },
  echo_reply: { name: 'OFPT_ECHO_REPLY', spec: '§7.5.3' },
  experimenter: { name: 'OFPT_EXPERIMENTER', spec: '§7.5.4' },
  features_request: { name: 'OFPT_FEATURES_REQUEST', spec: '§7.3.1' },
  features_reply: { name: 'OFPT_FEATURES_REPLY', spec: '§7.3.1' },
  get_config_request: { name: 'OFPT_GET_CONFIG_REQUEST', spec: '§7.3.2' },
  get_config_reply: { name: 'OFPT_GET_CONFIG_REPLY', spec: '§7.3.2' },
  set_config: { name: 'OFPT_SET_CONFIG', spec: '§7.3.2' },
  packet_in: { name: 'OFPT_PACKET_IN', spec: '§7.4.1' },
  flow_removed: { name: 'OFPT_FLOW_REMOVED', spec: '§7.4.2' },
  port_status: { name: 'OFPT_PORT_STATUS', spec: '§7.4.3' },
  packet_out: { name: 'OFPT_PACKET_OUT', spec: '§7.3.7' },
  flow_mod: { name: 'OFPT_FLOW_MOD', spec: '§7.3.4.1' },
  group_mod: { name: 'OFPT_GROUP_MOD', spec: '§7.3.4.2' },
  port_mod: { name: 'OFPT_PORT_MOD', spec: '§7.3.4.3' },
  meter_mod: { name: 'OFPT_METER_MOD', spec: '§7.3.4.4' },
  table_mod: { name: 'OFPT_TABLE_MOD', spec: '§7.3.3' },
  multipart_request: { name: 'OFPT_MULTIPART_REQUEST', spec: '§7.3.5' },
  multipart_reply: { name: 'OFPT_MULTIPART_REPLY', spec: '§7.3.5' },
  barrier_request: { name: 'OFPT_BARRIER_REQUEST', spec: '§7.3.8' },
  barrier_reply: { name: 'OFPT_BARRIER_REPLY', spec: '§7.3.8' },
  queue_get_config_request: { name: 'OFPT_QUEUE_GET_CONFIG_REQUEST', spec: '§7.3.6' },
  queue_get_config_reply: { name: 'OFPT_QUEUE_GET_CONFIG_REPLY', spec: '§7.3.6' },
  role_request: { name: 'OFPT_ROLE_REQUEST', spec: '§7.3.9' },
  role_reply: { name: 'OFPT_ROLE_REPLY', spec: '§7.3.9' },
  get_async_request: { name: 'OFPT_GET_ASYNC_REQUEST', spec: '§7.3.10' },
  get_async_reply: { name: 'OFPT_GET_ASYNC_REPLY', spec: '§7.3.10' },
  set_async: { name: 'OFPT_SET_ASYNC', spec: '§7.3.10' },
  bundle_control: { name: 'ONFT_BUNDLE_CONTROL', spec: 'EXT-230' },
  bundle_add: { name: 'ONFT_BUNDLE_ADD_MESSAGE', spec: 'EXT-230' },
  role_status: { name: 'ONFT_ROLE_STATUS', spec: 'EXT-191' },
  requestforward: { name: 'ONFT_REQUESTFORWARD', spec: 'EXT-235' },
  flow_monitor_cancel: { name: 'ONFT_FLOW_MONITOR_CANCEL', spec: 'EXT-187' },
  flow_monitor_paused: { name: 'ONFT_FLOW_MONITOR_PAUSED', spec: 'EXT-187' },
  flow_monitor_resumed: { name: 'ONFT_FLOW_MONITOR_RESUMED', spec: 'EXT-187' },
  set_flow_format: { name: 'NXT_SET_FLOW_FORMAT', spec: 'Nicira' },
  flow_mod_table_id: { name: 'NXT_FLOW_MOD_TABLE_ID', spec: 'Nicira' },
  set_packet_in_format: { name: 'NXT_SET_PACKET_IN_FORMAT', spec: 'Nicira' },
  nx_packet_in: { name: 'NXT_PACKET_IN', spec: 'Nicira' },
  packet_in2: { name: 'NXT_PACKET_IN2', spec: 'Nicira' },
  resume: { name: 'NXT_RESUME', spec: 'Nicira' },
  nx_set_async_config: { name: 'NXT_SET_ASYNC_CONFIG', spec: 'Nicira' },
  nx_set_async_config2: { name: 'NXT_SET_ASYNC_CONFIG2', spec: 'Nicira' },
  set_controller_id: { name: 'NXT_SET_CONTROLLER_ID', spec: 'Nicira' },
  tlv_table_mod: { name: 'NXT_TLV_TABLE_MOD', spec: 'Nicira' },
  tlv_table_request: { name: 'NXT_TLV_TABLE_REQUEST', spec: 'Nicira' },
  tlv_table_reply: { name: 'NXT_TLV_TABLE_REPLY', spec: 'Nicira' },
  ct_flush_zone: { name: 'NXT_CT_FLUSH_ZONE', spec: 'Nicira' },
  ct_flush: { name: 'NXT_CT_FLUSH', spec: 'Nicira' },
  unknown: { name: 'any other type', spec: 'kept as bytes' },
};

export type MultipartKind = (MultipartRequestBody | MultipartReplyBody)['kind'];

/** Names as ovs-ofctl prints them; OFPMP_ in the specification. */
export const MULTIPARTS: Readonly<Record<MultipartKind, Supported>> = {
  desc: { name: 'OFPST_DESC', spec: '§7.3.5.1' },
  flow: { name: 'OFPST_FLOW', spec: '§7.3.5.2' },
  aggregate: { name: 'OFPST_AGGREGATE', spec: '§7.3.5.3' },
  table: { name: 'OFPST_TABLE', spec: '§7.3.5.4' },
  table_features: { name: 'OFPST_TABLE_FEATURES', spec: '§7.3.5.5' },
  port_stats: { name: 'OFPST_PORT', spec: '§7.3.5.6' },
  port_desc: { name: 'OFPST_PORT_DESC', spec: '§7.3.5.7' },
  queue: { name: 'OFPST_QUEUE', spec: '§7.3.5.8' },
  group: { name: 'OFPST_GROUP', spec: '§7.3.5.9' },
  group_desc: { name: 'OFPST_GROUP_DESC', spec: '§7.3.5.10' },
  group_features: { name: 'OFPST_GROUP_FEATURES', spec: '§7.3.5.11' },
  meter: { name: 'OFPST_METER', spec: '§7.3.5.12' },
  meter_config: { name: 'OFPST_METER_CONFIG', spec: '§7.3.5.13' },
  meter_features: { name: 'OFPST_METER_FEATURES', spec: '§7.3.5.14' },
  experimenter: { name: 'OFPST_EXPERIMENTER', spec: '§7.3.5.15' },
  flow_monitor: { name: 'ONFST_FLOW_MONITOR', spec: 'EXT-187' },
  ipfix_bridge: { name: 'NXST_IPFIX_BRIDGE', spec: 'Nicira' },
  ipfix_flow: { name: 'NXST_IPFIX_FLOW', spec: 'Nicira' },
  unknown: { name: 'any other type', spec: 'kept as bytes' },
};

export const INSTRUCTIONS: Readonly<Record<Instruction['kind'], Supported>> = {
  goto_table: { name: 'OFPIT_GOTO_TABLE', spec: '§7.2.4' },
  write_metadata: { name: 'OFPIT_WRITE_METADATA', spec: '§7.2.4' },
  write_actions: { name: 'OFPIT_WRITE_ACTIONS', spec: '§7.2.4' },
  apply_actions: { name: 'OFPIT_APPLY_ACTIONS', spec: '§7.2.4' },
  clear_actions: { name: 'OFPIT_CLEAR_ACTIONS', spec: '§7.2.4' },
  meter: { name: 'OFPIT_METER', spec: '§7.2.4' },
  experimenter: { name: 'OFPIT_EXPERIMENTER', spec: 'kept as bytes' },
  unknown: { name: 'any other type', spec: 'kept as bytes' },
};

export const ACTIONS: Readonly<Record<Action['kind'], Supported>> = {
  output: { name: 'OFPAT_OUTPUT', spec: '§7.2.5' },
  group: { name: 'OFPAT_GROUP', spec: '§7.2.5' },
  set_queue: { name: 'OFPAT_SET_QUEUE', spec: '§7.2.5' },
  push_vlan: { name: 'OFPAT_PUSH_VLAN', spec: '§7.2.5' },
  pop_vlan: { name: 'OFPAT_POP_VLAN', spec: '§7.2.5' },
  push_mpls: { name: 'OFPAT_PUSH_MPLS', spec: '§7.2.5' },
  pop_mpls: { name: 'OFPAT_POP_MPLS', spec: '§7.2.5' },
  push_pbb: { name: 'OFPAT_PUSH_PBB', spec: '§7.2.5' },
  pop_pbb: { name: 'OFPAT_POP_PBB', spec: '§7.2.5' },
  set_nw_ttl: { name: 'OFPAT_SET_NW_TTL', spec: '§7.2.5' },
  dec_ttl: { name: 'OFPAT_DEC_NW_TTL', spec: '§7.2.5' },
  set_mpls_ttl: { name: 'OFPAT_SET_MPLS_TTL', spec: '§7.2.5' },
  dec_mpls_ttl: { name: 'OFPAT_DEC_MPLS_TTL', spec: '§7.2.5' },
  copy_ttl_in: { name: 'OFPAT_COPY_TTL_IN', spec: '§7.2.5' },
  copy_ttl_out: { name: 'OFPAT_COPY_TTL_OUT', spec: '§7.2.5' },
  set_field: { name: 'OFPAT_SET_FIELD, NXAST_REG_LOAD, NXAST_REG_LOAD2', spec: '§7.2.5, Nicira' },
  set_field_unknown: { name: 'OFPAT_SET_FIELD of an unknown field', spec: 'kept as bytes' },
  move: { name: 'NXAST_REG_MOVE, ONFACT_COPY_FIELD', spec: 'Nicira, EXT-320' },
  resubmit: { name: 'NXAST_RESUBMIT, _TABLE, _TABLE_CT', spec: 'Nicira' },
  set_tunnel: { name: 'NXAST_SET_TUNNEL, NXAST_SET_TUNNEL64', spec: 'Nicira' },
  ct: { name: 'NXAST_CT', spec: 'Nicira' },
  nat: { name: 'NXAST_NAT', spec: 'Nicira' },
  ct_clear: { name: 'NXAST_CT_CLEAR', spec: 'Nicira' },
  learn: { name: 'NXAST_LEARN, NXAST_LEARN2', spec: 'Nicira' },
  conjunction: { name: 'NXAST_CONJUNCTION', spec: 'Nicira' },
  clone: { name: 'NXAST_CLONE', spec: 'Nicira' },
  note: { name: 'NXAST_NOTE', spec: 'Nicira' },
  controller: { name: 'NXAST_CONTROLLER, NXAST_CONTROLLER2', spec: 'Nicira' },
  dec_ttl_cnt_ids: { name: 'NXAST_DEC_TTL_CNT_IDS', spec: 'Nicira' },
  check_pkt_larger: { name: 'NXAST_CHECK_PKT_LARGER', spec: 'Nicira' },
  delete_field: { name: 'NXAST_DELETE_FIELD', spec: 'Nicira' },
  stack_push: { name: 'NXAST_STACK_PUSH', spec: 'Nicira' },
  stack_pop: { name: 'NXAST_STACK_POP', spec: 'Nicira' },
  output_reg: { name: 'NXAST_OUTPUT_REG, NXAST_OUTPUT_REG2', spec: 'Nicira' },
  output_trunc: { name: 'NXAST_OUTPUT_TRUNC', spec: 'Nicira' },
  multipath: { name: 'NXAST_MULTIPATH', spec: 'Nicira' },
  bundle: { name: 'NXAST_BUNDLE, NXAST_BUNDLE_LOAD', spec: 'Nicira' },
  sample: { name: 'NXAST_SAMPLE, NXAST_SAMPLE2, NXAST_SAMPLE3', spec: 'Nicira' },
  fin_timeout: { name: 'NXAST_FIN_TIMEOUT', spec: 'Nicira' },
  exit: { name: 'NXAST_EXIT', spec: 'Nicira' },
  pop_queue: { name: 'NXAST_POP_QUEUE', spec: 'Nicira' },
  encap: { name: 'NXAST_ENCAP', spec: 'Nicira' },
  decap: { name: 'NXAST_DECAP', spec: 'Nicira' },
  dec_nsh_ttl: { name: 'NXAST_DEC_NSH_TTL', spec: 'Nicira' },
  experimenter: { name: 'any other experimenter action', spec: 'kept as bytes' },
  unknown: { name: 'any other type', spec: 'kept as bytes' },
};

export const BANDS: Readonly<Record<MeterBand['kind'], Supported>> = {
  drop: { name: 'OFPMBT_DROP', spec: '§7.3.4.4' },
  dscp_remark: { name: 'OFPMBT_DSCP_REMARK', spec: '§7.3.4.4' },
  experimenter: { name: 'OFPMBT_EXPERIMENTER', spec: 'kept as bytes' },
  unknown: { name: 'any other type', spec: 'kept as bytes' },
};
