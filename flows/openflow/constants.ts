/**
 * Reserved numbers of OpenFlow 1.3.5 and the experimenter ids used here.
 */
export const OPENFLOW_VERSION = 4;

/** §7.2.1 ofp_port_no. */
export const PORTS = {
  MAX: 0xffffff00,
  UNSET: 0xfffffff7,
  IN_PORT: 0xfffffff8,
  TABLE: 0xfffffff9,
  NORMAL: 0xfffffffa,
  FLOOD: 0xfffffffb,
  ALL: 0xfffffffc,
  CONTROLLER: 0xfffffffd,
  LOCAL: 0xfffffffe,
  ANY: 0xffffffff,
} as const;

/** §7.3.4.2 ofp_group. */
export const GROUPS = { MAX: 0xffffff00, ALL: 0xfffffffc, ANY: 0xffffffff } as const;

/** §7.3.4.4 ofp_meter. */
export const METERS = { MAX: 0xffff0000, SLOWPATH: 0xfffffffd, CONTROLLER: 0xfffffffe, ALL: 0xffffffff } as const;

/** Every table, in requests and deletes (§7.3.1). */
export const TABLE_ALL = 0xff;
export const NO_BUFFER = 0xffffffff;
/** Send the whole packet to the controller (§7.2.5). */
export const CONTROLLER_NO_BUFFER = 0xffff;

/** §7.3.4.1 ofp_flow_mod_flags. */
export const FLOW_FLAGS = { SEND_FLOW_REM: 1, CHECK_OVERLAP: 2, RESET_COUNTS: 4, NO_PKT_COUNTS: 8, NO_BYT_COUNTS: 16 } as const;

/** §7.3.4.4 ofp_meter_flags. */
export const METER_FLAGS = { KBPS: 1, PKTPS: 2, BURST: 4, STATS: 8 } as const;

/** EXT-230. */
export const BUNDLE_FLAGS = { ATOMIC: 1, ORDERED: 2 } as const;

/** Bit 0 of multipart flags: more parts follow. */
export const MULTIPART_MORE = 1;

/** Packet-in reasons: §7.4.1, and 3 to 5 of OpenFlow 1.4 in NXT_PACKET_IN2. */
export const PACKET_IN_REASONS = ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'] as const;

export const EXPERIMENTERS = { NICIRA: 0x00002320, ONF: 0x4f4e4600 } as const;

/** Levels of actions inside ct() and clone() that are decoded and encoded. Open vSwitch translates no deeper than 64. */
export const MAX_ACTION_DEPTH = 16;

/** exp_type of experimenter multiparts: EXT-187 and nicira-ext.h. */
export const ONFST_FLOW_MONITOR = 1870;
export const NXST_IPFIX_BRIDGE = 3;
export const NXST_IPFIX_FLOW = 4;
