/**
 * OpenFlow 1.3 messages as values, both ways.
 *
 * Owns: the union `Message`: every OFPT_ message of OpenFlow 1.3.5 §7, the ONF extensions EXT-187, EXT-191, EXT-230, EXT-235, and the Nicira
 * messages of Open vSwitch. Bodies of multipart messages are in multipart.ts.
 * Promises: plain immutable data discriminated by `kind`. 64-bit wire fields are bigints, everything up to 48 bits is a number. The xid is not
 * part of a message: it belongs to the exchange. What this build does not know is kept as bytes (`experimenter`, `unknown`).
 */
import type { Action } from './action.js';
import type { Flow, Group, Meter } from './flow.js';
import type { Match } from './match.js';
import type { MultipartReplyBody, MultipartRequestBody, Port } from './multipart.js';

/** OFPT_HELLO (§7.5.1). The only message that may carry another version than 4. */
export interface HelloMessage {
  readonly kind: 'hello';
  /** Version byte of the header: the highest version the sender speaks. 4 is OpenFlow 1.3. */
  readonly version: number;
  readonly elements: readonly HelloElement[];
}

export type HelloElement =
  /** Bit n of word w says that wire version 32 * w + n is spoken. */
  | { readonly kind: 'version_bitmap'; readonly bitmaps: readonly number[] }
  | { readonly kind: 'unknown'; readonly type: number; readonly data: Uint8Array };

/** OFPT_ERROR (§7.4.4). `errorName` in error-codes.ts names it. */
export interface ErrorMessage {
  readonly kind: 'error';
  /** Version byte of the header when it is not 4: errors during negotiation come in the sender's version. */
  readonly version?: number | undefined;
  /** OFPET_*; 0xffff for experimenter errors. */
  readonly type: number;
  /** Code, or exp_type of an experimenter error. */
  readonly code: number;
  /** Only with type 0xffff. */
  readonly experimenter?: number | undefined;
  /** At least the first 64 bytes of the offending message, or text for HELLO_FAILED. */
  readonly data: Uint8Array;
}

/** OFPT_ECHO_REQUEST, OFPT_ECHO_REPLY (§7.5.2, §7.5.3). */
export interface EchoMessage {
  readonly kind: 'echo_request' | 'echo_reply';
  readonly data: Uint8Array;
}

/** Messages that are nothing but their header. */
export interface EmptyMessage {
  readonly kind: 'features_request' | 'get_config_request' | 'barrier_request' | 'barrier_reply' | 'get_async_request';
}

/** OFPT_FEATURES_REPLY (§7.3.1). */
export interface FeaturesReplyMessage {
  readonly kind: 'features_reply';
  readonly datapath_id: bigint;
  readonly n_buffers: number;
  readonly n_tables: number;
  readonly auxiliary_id: number;
  /** OFPC_* bits. */
  readonly capabilities: number;
  readonly reserved: number;
}

/** OFPT_GET_CONFIG_REPLY, OFPT_SET_CONFIG (§7.3.2). */
export interface ConfigMessage {
  readonly kind: 'get_config_reply' | 'set_config';
  readonly flags: number;
  readonly miss_send_len: number;
}

/** OFPT_PACKET_IN (§7.4.1). */
export interface PacketInMessage {
  readonly kind: 'packet_in';
  readonly buffer_id: number;
  readonly total_len: number;
  /** OFPR_*. */
  readonly reason: number;
  readonly table: number;
  readonly cookie: bigint;
  readonly match: Match;
  /** A view of the buffer that was decoded: copy it to keep it. */
  readonly data: Uint8Array;
}

/** OFPT_FLOW_REMOVED (§7.4.2). */
export interface FlowRemovedMessage {
  readonly kind: 'flow_removed';
  readonly cookie: bigint;
  readonly priority: number;
  /** OFPRR_*. */
  readonly reason: number;
  readonly table: number;
  readonly duration_sec: number;
  readonly duration_nsec: number;
  readonly idle_timeout: number;
  readonly hard_timeout: number;
  readonly packet_count: bigint;
  readonly byte_count: bigint;
  readonly match: Match;
}

/** OFPT_PORT_STATUS (§7.4.3). */
export interface PortStatusMessage {
  readonly kind: 'port_status';
  /** OFPPR_*: ADD 0, DELETE 1, MODIFY 2. */
  readonly reason: number;
  readonly port: Port;
}

/** OFPT_PACKET_OUT (§7.3.7). */
export interface PacketOutMessage {
  readonly kind: 'packet_out';
  /** Absent is OFP_NO_BUFFER. */
  readonly buffer_id?: number | undefined;
  readonly in_port: number;
  readonly actions: readonly Action[];
  readonly data: Uint8Array;
}

export type FlowModCommand = 'add' | 'modify' | 'modify_strict' | 'delete' | 'delete_strict';

/** OFPT_FLOW_MOD (§7.3.4.1). Deletes ignore instructions and timeouts of `flow`. */
export interface FlowModMessage {
  readonly kind: 'flow_mod';
  readonly command: FlowModCommand;
  readonly flow: Flow;
  /** Restricts modify and delete to flows whose cookie matches under it; absent is 0, no restriction. */
  readonly cookie_mask?: bigint | undefined;
  /** Absent is OFP_NO_BUFFER. */
  readonly buffer_id?: number | undefined;
  /** Restricts deletes; absent is OFPP_ANY. */
  readonly out_port?: number | undefined;
  /** Restricts deletes; absent is OFPG_ANY. */
  readonly out_group?: number | undefined;
}

export type ModCommand = 'add' | 'modify' | 'delete';

/** OFPT_GROUP_MOD (§7.3.4.2). A delete ignores type and buckets. */
export interface GroupModMessage {
  readonly kind: 'group_mod';
  /** `add_or_modify` is an extension of Open vSwitch (`mod-group --may-create`). */
  readonly command: ModCommand | 'add_or_modify';
  readonly group: Group;
}

/** OFPT_METER_MOD (§7.3.4.4). A delete ignores flags and bands. */
export interface MeterModMessage {
  readonly kind: 'meter_mod';
  readonly command: ModCommand;
  readonly meter: Meter;
}

/** OFPT_PORT_MOD (§7.3.4.3). */
export interface PortModMessage {
  readonly kind: 'port_mod';
  readonly port_no: number;
  readonly hw_addr: number;
  /** OFPPC_* bits, and which of them to change. */
  readonly config: number;
  readonly mask: number;
  readonly advertise: number;
}

/** OFPT_TABLE_MOD (§7.3.3). */
export interface TableModMessage {
  readonly kind: 'table_mod';
  readonly table: number;
  readonly config: number;
}

/** OFPT_QUEUE_GET_CONFIG_REQUEST (§7.3.6). */
export interface QueueGetConfigRequestMessage {
  readonly kind: 'queue_get_config_request';
  readonly port: number;
}

/** OFPT_QUEUE_GET_CONFIG_REPLY (§7.3.6). */
export interface QueueGetConfigReplyMessage {
  readonly kind: 'queue_get_config_reply';
  readonly port: number;
  readonly queues: readonly PacketQueue[];
}

export interface PacketQueue {
  readonly queue_id: number;
  readonly port: number;
  readonly properties: readonly QueueProperty[];
}

export type QueueProperty =
  /** Tenths of a percent; above 1000 is "not set". */
  | { readonly kind: 'min_rate' | 'max_rate'; readonly rate: number }
  | { readonly kind: 'experimenter'; readonly experimenter: number; readonly data: Uint8Array }
  | { readonly kind: 'unknown'; readonly type: number; readonly data: Uint8Array };

export type Role = 'nochange' | 'equal' | 'master' | 'slave';

/** OFPT_ROLE_REQUEST, OFPT_ROLE_REPLY (§7.3.9). */
export interface RoleMessage {
  readonly kind: 'role_request' | 'role_reply';
  readonly role: Role;
  readonly generation_id: bigint;
}

/** Which asynchronous messages are wanted, one bit per reason (§7.3.10). First of each pair: master or equal; second: slave. */
export interface AsyncMasks {
  readonly packet_in_mask: readonly [number, number];
  readonly port_status_mask: readonly [number, number];
  readonly flow_removed_mask: readonly [number, number];
}

/** OFPT_GET_ASYNC_REPLY, OFPT_SET_ASYNC (§7.3.10). */
export interface AsyncMessage extends AsyncMasks {
  readonly kind: 'get_async_reply' | 'set_async';
}

/** NXT_SET_ASYNC_CONFIG. */
export interface NxAsyncMessage extends AsyncMasks {
  readonly kind: 'nx_set_async_config';
}

/** OFPT_MULTIPART_REQUEST (§7.3.5). */
export interface MultipartRequestMessage {
  readonly kind: 'multipart_request';
  /** OFPMPF_REQ_MORE is bit 0. */
  readonly flags: number;
  readonly body: MultipartRequestBody;
}

/** OFPT_MULTIPART_REPLY (§7.3.5): one part; more follow while bit 0 of `flags` is set. */
export interface MultipartReplyMessage {
  readonly kind: 'multipart_reply';
  readonly flags: number;
  readonly body: MultipartReplyBody;
}

export type BundleControlType =
  'open_request' | 'open_reply' | 'close_request' | 'close_reply' | 'commit_request' | 'commit_reply' | 'discard_request' | 'discard_reply';

/** ONF EXT-230 ONFT_BUNDLE_CONTROL. */
export interface BundleControlMessage {
  readonly kind: 'bundle_control';
  readonly bundle_id: number;
  readonly type: BundleControlType;
  /** ATOMIC 1, ORDERED 2. */
  readonly flags: number;
  /** Bundle properties as on the wire, if any. */
  readonly properties?: Uint8Array | undefined;
}

/** ONF EXT-230 ONFT_BUNDLE_ADD_MESSAGE. The inner message has the xid of the outer one; it is never itself a bundle message. */
export interface BundleAddMessage {
  readonly kind: 'bundle_add';
  readonly bundle_id: number;
  readonly flags: number;
  readonly message: Message;
  /** Bundle properties as on the wire, if any. */
  readonly properties?: Uint8Array | undefined;
}

/** ONF EXT-191 ONFT_ROLE_STATUS: the switch changed our role. */
export interface RoleStatusMessage {
  readonly kind: 'role_status';
  readonly role: Role;
  /** MASTER_REQUEST 0, CONFIG 1, EXPERIMENTER 2. */
  readonly reason: number;
  readonly generation_id: bigint;
  readonly properties?: Uint8Array | undefined;
}

/** ONF EXT-235 ONFT_REQUESTFORWARD: another controller changed a group or meter. */
export interface RequestForwardMessage {
  readonly kind: 'requestforward';
  readonly request_xid: number;
  readonly request: Message;
}

/** ONF EXT-187 ONFT_FLOW_MONITOR_CANCEL. */
export interface FlowMonitorCancelMessage {
  readonly kind: 'flow_monitor_cancel';
  readonly monitor_id: number;
}

/** ONF EXT-187: updates are lost from here on, or come again; what was lost follows. */
export interface FlowMonitorStateMessage {
  readonly kind: 'flow_monitor_paused' | 'flow_monitor_resumed';
}

/** NXT_SET_PACKET_IN_FORMAT: 0 standard, 1 NXT_PACKET_IN, 2 NXT_PACKET_IN2. NXT_SET_FLOW_FORMAT: OpenFlow 1.0 only. */
export interface FormatMessage {
  readonly kind: 'set_packet_in_format' | 'set_flow_format';
  readonly format: number;
}

/** NXT_SET_CONTROLLER_ID: which `controller(id=…)` actions reach this connection. */
export interface SetControllerIdMessage {
  readonly kind: 'set_controller_id';
  readonly controller_id: number;
}

/** A property this build does not know. */
export interface UnknownProperty {
  readonly type: number;
  readonly data: Uint8Array;
}

/**
 * NXT_PACKET_IN2, and NXT_RESUME that sends it back. A resume must carry `packet`, `metadata`, `continuation` and unknown properties as received.
 */
export interface PacketIn2Message {
  readonly kind: 'packet_in2' | 'resume';
  /** A view of the buffer that was decoded: copy it to keep it. */
  readonly packet?: Uint8Array | undefined;
  /** Absent when the packet is whole. */
  readonly full_length?: number | undefined;
  readonly buffer_id?: number | undefined;
  readonly table?: number | undefined;
  readonly cookie?: bigint | undefined;
  readonly reason?: number | undefined;
  /** In port, non-zero registers, metadata, conntrack and tunnel fields. */
  readonly metadata?: Match | undefined;
  readonly userdata?: Uint8Array | undefined;
  /** Opaque, to be returned verbatim. */
  readonly continuation?: Uint8Array | undefined;
  readonly unknown?: readonly UnknownProperty[] | undefined;
}

/** NXT_PACKET_IN, the older Nicira packet-in. */
export interface NxPacketInMessage {
  readonly kind: 'nx_packet_in';
  readonly buffer_id: number;
  readonly total_len: number;
  readonly reason: number;
  readonly table: number;
  readonly cookie: bigint;
  readonly match: Match;
  readonly data: Uint8Array;
}

/** NXT_FLOW_MOD_TABLE_ID: OpenFlow 1.0 only, harmless later. */
export interface FlowModTableIdMessage {
  readonly kind: 'flow_mod_table_id';
  readonly set: boolean;
}

/** One Geneve option bound to tun_metadata`index`. */
export interface TlvMapping {
  readonly option_class: number;
  readonly option_type: number;
  /** Bytes, a multiple of 4 up to 124. */
  readonly option_length: number;
  readonly index: number;
}

/** NXT_TLV_TABLE_REQUEST. */
export interface TlvTableRequestMessage {
  readonly kind: 'tlv_table_request';
}

/** NXT_TLV_TABLE_MOD. */
export interface TlvTableModMessage {
  readonly kind: 'tlv_table_mod';
  readonly command: 'add' | 'delete' | 'clear';
  readonly mappings: readonly TlvMapping[];
}

/** NXT_TLV_TABLE_REPLY. */
export interface TlvTableReplyMessage {
  readonly kind: 'tlv_table_reply';
  readonly max_option_space: number;
  readonly max_fields: number;
  readonly mappings: readonly TlvMapping[];
}

/** NXT_CT_FLUSH_ZONE: forgets every connection of a zone. */
export interface CtFlushZoneMessage {
  readonly kind: 'ct_flush_zone';
  readonly zone: number;
}

/** One direction of a connection; absent parts match anything. */
export interface CtTuple {
  readonly ipv4_src?: number | undefined;
  readonly ipv4_dst?: number | undefined;
  readonly ipv6_src?: bigint | undefined;
  readonly ipv6_dst?: bigint | undefined;
  readonly src_port?: number | undefined;
  readonly dst_port?: number | undefined;
  readonly icmp_id?: number | undefined;
  readonly icmp_type?: number | undefined;
  readonly icmp_code?: number | undefined;
}

/** NXT_CT_FLUSH: forgets the connections that match. */
export interface CtFlushMessage {
  readonly kind: 'ct_flush';
  readonly ip_proto: number;
  readonly zone?: number | undefined;
  readonly original?: CtTuple | undefined;
  readonly reply?: CtTuple | undefined;
  readonly unknown?: readonly UnknownProperty[] | undefined;
}

/** NXT_SET_ASYNC_CONFIG2: masks as properties, as in OpenFlow 1.4 §7.3.10. */
export interface AsyncConfig2Message {
  readonly kind: 'nx_set_async_config2';
  readonly properties: readonly AsyncProperty[];
}

export type AsyncProperty =
  | { readonly kind: 'mask'; readonly type: number; readonly mask: number }
  | { readonly kind: 'unknown'; readonly type: number; readonly data: Uint8Array };

/** OFPT_EXPERIMENTER (§7.5.4) that this build does not know. */
export interface ExperimenterMessage {
  readonly kind: 'experimenter';
  readonly experimenter: number;
  readonly exp_type: number;
  readonly data: Uint8Array;
}

/** A message type that OpenFlow 1.3 does not have. */
export interface UnknownMessage {
  readonly kind: 'unknown';
  readonly type: number;
  readonly data: Uint8Array;
}

export type Message =
  | HelloMessage
  | ErrorMessage
  | EchoMessage
  | EmptyMessage
  | FeaturesReplyMessage
  | ConfigMessage
  | PacketInMessage
  | FlowRemovedMessage
  | PortStatusMessage
  | PacketOutMessage
  | FlowModMessage
  | GroupModMessage
  | MeterModMessage
  | PortModMessage
  | TableModMessage
  | QueueGetConfigRequestMessage
  | QueueGetConfigReplyMessage
  | RoleMessage
  | AsyncMessage
  | NxAsyncMessage
  | MultipartRequestMessage
  | MultipartReplyMessage
  | BundleControlMessage
  | BundleAddMessage
  | RoleStatusMessage
  | RequestForwardMessage
  | FlowMonitorCancelMessage
  | FlowMonitorStateMessage
  | FormatMessage
  | SetControllerIdMessage
  | PacketIn2Message
  | NxPacketInMessage
  | FlowModTableIdMessage
  | TlvTableRequestMessage
  | TlvTableModMessage
  | TlvTableReplyMessage
  | CtFlushZoneMessage
  | CtFlushMessage
  | AsyncConfig2Message
  | ExperimenterMessage
  | UnknownMessage;

export type MessageKind = Message['kind'];
