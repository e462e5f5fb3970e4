/**
 * The match fields as facts: OpenFlow 1.3.5 §7.2.3.7 table 12, and ovs-fields(7).
 *
 * Owns: one row per field (registers and tunnel options excepted: fields.ts counts those out).
 * Promises: the first header is the one Open vSwitch 3.1 writes on an OpenFlow 1.3 wire; the others are understood and rewritten to it.
 */

/** How a value is written in text. */
export type FieldFormat =
  'dec' | 'hex' | 'mac' | 'ipv4' | 'ipv6' | 'port' | 'port16' | 'frag' | 'tun_flags' | 'tcp_flags' | 'ct_state' | 'packet_type';

/** What must be matched as well before the field may be (OpenFlow 1.3.5 §7.2.3.6, ovs-fields(7)). */
export type Prereq =
  | 'none'
  | 'ethernet'
  | 'in_port'
  | 'vlan_vid'
  | 'mpls'
  | 'pbb'
  | 'arp'
  | 'ip'
  | 'ipv4'
  | 'ipv6'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmpv4'
  | 'icmpv6'
  | 'nd'
  | 'nd_solicit'
  | 'nd_advert'
  | 'nsh'
  | 'ct';

/** Class, field number, name, and for class 0xffff the experimenter. */
export type HeaderRow = readonly [oxmClass: number, field: number, name: string, experimenter?: number];

export interface FieldRow {
  readonly format: FieldFormat;
  /** Bytes on the wire, without mask. */
  readonly bytes: number;
  /** Significant bits. */
  readonly bits: number;
  readonly prereq: Prereq;
  readonly maskable: boolean;
  readonly writable: boolean;
  /** Another spelling that ovs-ofctl prints or accepts; empty for none. */
  readonly alias: string;
  readonly headers: readonly HeaderRow[];
}

// prettier-ignore
export const FIELD_TABLE = {
  dp_hash: { format: 'hex', bytes: 4, bits: 32, prereq: 'none', maskable: true, writable: false, alias: '', headers: [[0x0001, 35, 'NXM_NX_DP_HASH'], [0xffff, 0, 'NXOXM_ET_DP_HASH', 0x2320]] },
  recirc_id: { format: 'dec', bytes: 4, bits: 32, prereq: 'none', maskable: false, writable: false, alias: '', headers: [[0x0001, 36, 'NXM_NX_RECIRC_ID']] },
  packet_type: { format: 'packet_type', bytes: 4, bits: 32, prereq: 'none', maskable: false, writable: false, alias: '', headers: [[0x8000, 44, 'OXM_OF_PACKET_TYPE']] },
  conj_id: { format: 'dec', bytes: 4, bits: 32, prereq: 'none', maskable: false, writable: false, alias: '', headers: [[0x0001, 37, 'NXM_NX_CONJ_ID']] },
  tun_id: { format: 'hex', bytes: 8, bits: 64, prereq: 'none', maskable: true, writable: true, alias: 'tunnel_id', headers: [[0x8000, 38, 'OXM_OF_TUNNEL_ID'], [0x0001, 16, 'NXM_NX_TUN_ID']] },
  tun_src: { format: 'ipv4', bytes: 4, bits: 32, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0x0001, 31, 'NXM_NX_TUN_IPV4_SRC']] },
  tun_dst: { format: 'ipv4', bytes: 4, bits: 32, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0x0001, 32, 'NXM_NX_TUN_IPV4_DST']] },
  tun_ipv6_src: { format: 'ipv6', bytes: 16, bits: 128, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0x0001, 109, 'NXM_NX_TUN_IPV6_SRC']] },
  tun_ipv6_dst: { format: 'ipv6', bytes: 16, bits: 128, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0x0001, 110, 'NXM_NX_TUN_IPV6_DST']] },
  tun_flags: { format: 'tun_flags', bytes: 2, bits: 1, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0x0001, 104, 'NXM_NX_TUN_FLAGS']] },
  tun_gbp_id: { format: 'dec', bytes: 2, bits: 16, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0x0001, 38, 'NXM_NX_TUN_GBP_ID']] },
  tun_gbp_flags: { format: 'hex', bytes: 1, bits: 8, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0x0001, 39, 'NXM_NX_TUN_GBP_FLAGS']] },
  tun_erspan_idx: { format: 'hex', bytes: 4, bits: 20, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0xffff, 11, 'NXOXM_ET_ERSPAN_IDX', 0x2320]] },
  tun_erspan_ver: { format: 'dec', bytes: 1, bits: 4, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0xffff, 12, 'NXOXM_ET_ERSPAN_VER', 0x2320]] },
  tun_erspan_dir: { format: 'dec', bytes: 1, bits: 1, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0xffff, 13, 'NXOXM_ET_ERSPAN_DIR', 0x2320]] },
  tun_erspan_hwid: { format: 'hex', bytes: 1, bits: 6, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0xffff, 14, 'NXOXM_ET_ERSPAN_HWID', 0x2320]] },
  tun_gtpu_flags: { format: 'hex', bytes: 1, bits: 8, prereq: 'none', maskable: true, writable: false, alias: '', headers: [[0xffff, 15, 'NXOXM_ET_GTPU_FLAGS', 0x2320]] },
  tun_gtpu_msgtype: { format: 'dec', bytes: 1, bits: 8, prereq: 'none', maskable: true, writable: false, alias: '', headers: [[0xffff, 16, 'NXOXM_ET_GTPU_MSGTYPE', 0x2320]] },
  metadata: { format: 'hex', bytes: 8, bits: 64, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0x8000, 2, 'OXM_OF_METADATA']] },
  in_port: { format: 'port', bytes: 4, bits: 32, prereq: 'none', maskable: false, writable: true, alias: '', headers: [[0x8000, 0, 'OXM_OF_IN_PORT']] },
  actset_output: { format: 'port', bytes: 4, bits: 32, prereq: 'none', maskable: false, writable: false, alias: '', headers: [[0xffff, 43, 'ONFOXM_ET_ACTSET_OUTPUT', 0x4f4e4600], [0x8000, 43, 'OXM_OF_ACTSET_OUTPUT']] },
  pkt_mark: { format: 'hex', bytes: 4, bits: 32, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0x0001, 33, 'NXM_NX_PKT_MARK']] },
  ct_state: { format: 'ct_state', bytes: 4, bits: 32, prereq: 'none', maskable: true, writable: false, alias: '', headers: [[0x0001, 105, 'NXM_NX_CT_STATE']] },
  ct_zone: { format: 'hex', bytes: 2, bits: 16, prereq: 'none', maskable: false, writable: false, alias: '', headers: [[0x0001, 106, 'NXM_NX_CT_ZONE']] },
  ct_mark: { format: 'hex', bytes: 4, bits: 32, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0x0001, 107, 'NXM_NX_CT_MARK']] },
  ct_label: { format: 'hex', bytes: 16, bits: 128, prereq: 'none', maskable: true, writable: true, alias: '', headers: [[0x0001, 108, 'NXM_NX_CT_LABEL']] },
  ct_nw_proto: { format: 'dec', bytes: 1, bits: 8, prereq: 'ct', maskable: false, writable: false, alias: '', headers: [[0x0001, 119, 'NXM_NX_CT_NW_PROTO']] },
  ct_nw_src: { format: 'ipv4', bytes: 4, bits: 32, prereq: 'ct', maskable: true, writable: false, alias: '', headers: [[0x0001, 120, 'NXM_NX_CT_NW_SRC']] },
  ct_nw_dst: { format: 'ipv4', bytes: 4, bits: 32, prereq: 'ct', maskable: true, writable: false, alias: '', headers: [[0x0001, 121, 'NXM_NX_CT_NW_DST']] },
  ct_ipv6_src: { format: 'ipv6', bytes: 16, bits: 128, prereq: 'ct', maskable: true, writable: false, alias: '', headers: [[0x0001, 122, 'NXM_NX_CT_IPV6_SRC']] },
  ct_ipv6_dst: { format: 'ipv6', bytes: 16, bits: 128, prereq: 'ct', maskable: true, writable: false, alias: '', headers: [[0x0001, 123, 'NXM_NX_CT_IPV6_DST']] },
  ct_tp_src: { format: 'dec', bytes: 2, bits: 16, prereq: 'ct', maskable: true, writable: false, alias: '', headers: [[0x0001, 124, 'NXM_NX_CT_TP_SRC']] },
  ct_tp_dst: { format: 'dec', bytes: 2, bits: 16, prereq: 'ct', maskable: true, writable: false, alias: '', headers: [[0x0001, 125, 'NXM_NX_CT_TP_DST']] },
  eth_src: { format: 'mac', bytes: 6, bits: 48, prereq: 'ethernet', maskable: true, writable: true, alias: 'dl_src', headers: [[0x8000, 4, 'OXM_OF_ETH_SRC'], [0x0000, 2, 'NXM_OF_ETH_SRC']] },
  eth_dst: { format: 'mac', bytes: 6, bits: 48, prereq: 'ethernet', maskable: true, writable: true, alias: 'dl_dst', headers: [[0x8000, 3, 'OXM_OF_ETH_DST'], [0x0000, 1, 'NXM_OF_ETH_DST']] },
  eth_type: { format: 'hex', bytes: 2, bits: 16, prereq: 'ethernet', maskable: false, writable: false, alias: 'dl_type', headers: [[0x8000, 5, 'OXM_OF_ETH_TYPE'], [0x0000, 3, 'NXM_OF_ETH_TYPE']] },
  vlan_tci: { format: 'hex', bytes: 2, bits: 16, prereq: 'ethernet', maskable: true, writable: true, alias: '', headers: [[0x0000, 4, 'NXM_OF_VLAN_TCI']] },
  vlan_vid: { format: 'dec', bytes: 2, bits: 12, prereq: 'ethernet', maskable: true, writable: true, alias: '', headers: [[0x8000, 6, 'OXM_OF_VLAN_VID']] },
  vlan_pcp: { format: 'dec', bytes: 1, bits: 3, prereq: 'vlan_vid', maskable: false, writable: true, alias: '', headers: [[0x8000, 7, 'OXM_OF_VLAN_PCP']] },
  mpls_label: { format: 'dec', bytes: 4, bits: 20, prereq: 'mpls', maskable: false, writable: true, alias: '', headers: [[0x8000, 34, 'OXM_OF_MPLS_LABEL']] },
  mpls_tc: { format: 'dec', bytes: 1, bits: 3, prereq: 'mpls', maskable: false, writable: true, alias: '', headers: [[0x8000, 35, 'OXM_OF_MPLS_TC']] },
  mpls_bos: { format: 'dec', bytes: 1, bits: 1, prereq: 'mpls', maskable: false, writable: false, alias: '', headers: [[0x8000, 36, 'OXM_OF_MPLS_BOS']] },
  mpls_ttl: { format: 'dec', bytes: 1, bits: 8, prereq: 'mpls', maskable: false, writable: true, alias: '', headers: [[0x0001, 30, 'NXM_NX_MPLS_TTL']] },
  ip_src: { format: 'ipv4', bytes: 4, bits: 32, prereq: 'ipv4', maskable: true, writable: true, alias: 'nw_src', headers: [[0x8000, 11, 'OXM_OF_IPV4_SRC'], [0x0000, 7, 'NXM_OF_IP_SRC']] },
  ip_dst: { format: 'ipv4', bytes: 4, bits: 32, prereq: 'ipv4', maskable: true, writable: true, alias: 'nw_dst', headers: [[0x8000, 12, 'OXM_OF_IPV4_DST'], [0x0000, 8, 'NXM_OF_IP_DST']] },
  ipv6_src: { format: 'ipv6', bytes: 16, bits: 128, prereq: 'ipv6', maskable: true, writable: true, alias: '', headers: [[0x8000, 26, 'OXM_OF_IPV6_SRC'], [0x0001, 19, 'NXM_NX_IPV6_SRC']] },
  ipv6_dst: { format: 'ipv6', bytes: 16, bits: 128, prereq: 'ipv6', maskable: true, writable: true, alias: '', headers: [[0x8000, 27, 'OXM_OF_IPV6_DST'], [0x0001, 20, 'NXM_NX_IPV6_DST']] },
  ipv6_label: { format: 'hex', bytes: 4, bits: 20, prereq: 'ipv6', maskable: true, writable: true, alias: '', headers: [[0x8000, 28, 'OXM_OF_IPV6_FLABEL'], [0x0001, 27, 'NXM_NX_IPV6_LABEL']] },
  nw_proto: { format: 'dec', bytes: 1, bits: 8, prereq: 'ip', maskable: false, writable: false, alias: 'ip_proto', headers: [[0x8000, 10, 'OXM_OF_IP_PROTO'], [0x0000, 6, 'NXM_OF_IP_PROTO']] },
  nw_tos: { format: 'dec', bytes: 1, bits: 8, prereq: 'ip', maskable: false, writable: true, alias: '', headers: [[0x0000, 5, 'NXM_OF_IP_TOS']] },
  ip_dscp: { format: 'dec', bytes: 1, bits: 6, prereq: 'ip', maskable: false, writable: true, alias: '', headers: [[0x8000, 8, 'OXM_OF_IP_DSCP']] },
  nw_ecn: { format: 'dec', bytes: 1, bits: 2, prereq: 'ip', maskable: false, writable: true, alias: 'ip_ecn', headers: [[0x8000, 9, 'OXM_OF_IP_ECN'], [0x0001, 28, 'NXM_NX_IP_ECN']] },
  nw_ttl: { format: 'dec', bytes: 1, bits: 8, prereq: 'ip', maskable: false, writable: true, alias: '', headers: [[0x0001, 29, 'NXM_NX_IP_TTL']] },
  ip_frag: { format: 'frag', bytes: 1, bits: 2, prereq: 'ip', maskable: true, writable: false, alias: 'nw_frag', headers: [[0x0001, 26, 'NXM_NX_IP_FRAG']] },
  arp_op: { format: 'dec', bytes: 2, bits: 16, prereq: 'arp', maskable: false, writable: true, alias: '', headers: [[0x8000, 21, 'OXM_OF_ARP_OP'], [0x0000, 15, 'NXM_OF_ARP_OP']] },
  arp_spa: { format: 'ipv4', bytes: 4, bits: 32, prereq: 'arp', maskable: true, writable: true, alias: '', headers: [[0x8000, 22, 'OXM_OF_ARP_SPA'], [0x0000, 16, 'NXM_OF_ARP_SPA']] },
  arp_tpa: { format: 'ipv4', bytes: 4, bits: 32, prereq: 'arp', maskable: true, writable: true, alias: '', headers: [[0x8000, 23, 'OXM_OF_ARP_TPA'], [0x0000, 17, 'NXM_OF_ARP_TPA']] },
  arp_sha: { format: 'mac', bytes: 6, bits: 48, prereq: 'arp', maskable: true, writable: true, alias: '', headers: [[0x8000, 24, 'OXM_OF_ARP_SHA'], [0x0001, 17, 'NXM_NX_ARP_SHA']] },
  arp_tha: { format: 'mac', bytes: 6, bits: 48, prereq: 'arp', maskable: true, writable: true, alias: '', headers: [[0x8000, 25, 'OXM_OF_ARP_THA'], [0x0001, 18, 'NXM_NX_ARP_THA']] },
  tcp_src: { format: 'dec', bytes: 2, bits: 16, prereq: 'tcp', maskable: true, writable: true, alias: 'tp_src', headers: [[0x8000, 13, 'OXM_OF_TCP_SRC'], [0x0000, 9, 'NXM_OF_TCP_SRC']] },
  tcp_dst: { format: 'dec', bytes: 2, bits: 16, prereq: 'tcp', maskable: true, writable: true, alias: 'tp_dst', headers: [[0x8000, 14, 'OXM_OF_TCP_DST'], [0x0000, 10, 'NXM_OF_TCP_DST']] },
  tcp_flags: { format: 'tcp_flags', bytes: 2, bits: 12, prereq: 'tcp', maskable: true, writable: false, alias: '', headers: [[0xffff, 42, 'ONFOXM_ET_TCP_FLAGS', 0x4f4e4600], [0x8000, 42, 'OXM_OF_TCP_FLAGS'], [0x0001, 34, 'NXM_NX_TCP_FLAGS']] },
  udp_src: { format: 'dec', bytes: 2, bits: 16, prereq: 'udp', maskable: true, writable: true, alias: '', headers: [[0x8000, 15, 'OXM_OF_UDP_SRC'], [0x0000, 11, 'NXM_OF_UDP_SRC']] },
  udp_dst: { format: 'dec', bytes: 2, bits: 16, prereq: 'udp', maskable: true, writable: true, alias: '', headers: [[0x8000, 16, 'OXM_OF_UDP_DST'], [0x0000, 12, 'NXM_OF_UDP_DST']] },
  sctp_src: { format: 'dec', bytes: 2, bits: 16, prereq: 'sctp', maskable: true, writable: true, alias: '', headers: [[0x8000, 17, 'OXM_OF_SCTP_SRC']] },
  sctp_dst: { format: 'dec', bytes: 2, bits: 16, prereq: 'sctp', maskable: true, writable: true, alias: '', headers: [[0x8000, 18, 'OXM_OF_SCTP_DST']] },
  icmp_type: { format: 'dec', bytes: 1, bits: 8, prereq: 'icmpv4', maskable: false, writable: true, alias: '', headers: [[0x8000, 19, 'OXM_OF_ICMPV4_TYPE'], [0x0000, 13, 'NXM_OF_ICMP_TYPE']] },
  icmp_code: { format: 'dec', bytes: 1, bits: 8, prereq: 'icmpv4', maskable: false, writable: true, alias: '', headers: [[0x8000, 20, 'OXM_OF_ICMPV4_CODE'], [0x0000, 14, 'NXM_OF_ICMP_CODE']] },
  icmpv6_type: { format: 'dec', bytes: 1, bits: 8, prereq: 'icmpv6', maskable: false, writable: true, alias: '', headers: [[0x8000, 29, 'OXM_OF_ICMPV6_TYPE'], [0x0001, 21, 'NXM_NX_ICMPV6_TYPE']] },
  icmpv6_code: { format: 'dec', bytes: 1, bits: 8, prereq: 'icmpv6', maskable: false, writable: true, alias: '', headers: [[0x8000, 30, 'OXM_OF_ICMPV6_CODE'], [0x0001, 22, 'NXM_NX_ICMPV6_CODE']] },
  nd_target: { format: 'ipv6', bytes: 16, bits: 128, prereq: 'nd', maskable: true, writable: true, alias: '', headers: [[0x8000, 31, 'OXM_OF_IPV6_ND_TARGET'], [0x0001, 23, 'NXM_NX_ND_TARGET']] },
  nd_sll: { format: 'mac', bytes: 6, bits: 48, prereq: 'nd_solicit', maskable: true, writable: true, alias: '', headers: [[0x8000, 32, 'OXM_OF_IPV6_ND_SLL'], [0x0001, 24, 'NXM_NX_ND_SLL']] },
  nd_tll: { format: 'mac', bytes: 6, bits: 48, prereq: 'nd_advert', maskable: true, writable: true, alias: '', headers: [[0x8000, 33, 'OXM_OF_IPV6_ND_TLL'], [0x0001, 25, 'NXM_NX_ND_TLL']] },
  nd_reserved: { format: 'dec', bytes: 4, bits: 32, prereq: 'nd', maskable: false, writable: true, alias: '', headers: [[0x1000, 1, 'ERICOXM_OF_ICMPV6_ND_RESERVED']] },
  nd_options_type: { format: 'dec', bytes: 1, bits: 8, prereq: 'nd', maskable: false, writable: true, alias: '', headers: [[0x1000, 2, 'ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE']] },
  nsh_flags: { format: 'dec', bytes: 1, bits: 8, prereq: 'nsh', maskable: true, writable: true, alias: '', headers: [[0xffff, 1, 'NXOXM_NSH_FLAGS', 0x5ad650]] },
  nsh_mdtype: { format: 'dec', bytes: 1, bits: 8, prereq: 'nsh', maskable: false, writable: false, alias: '', headers: [[0xffff, 2, 'NXOXM_NSH_MDTYPE', 0x5ad650]] },
  nsh_np: { format: 'dec', bytes: 1, bits: 8, prereq: 'nsh', maskable: false, writable: false, alias: '', headers: [[0xffff, 3, 'NXOXM_NSH_NP', 0x5ad650]] },
  nsh_spi: { format: 'hex', bytes: 4, bits: 24, prereq: 'nsh', maskable: false, writable: true, alias: 'nsp', headers: [[0xffff, 4, 'NXOXM_NSH_SPI', 0x5ad650]] },
  nsh_si: { format: 'dec', bytes: 1, bits: 8, prereq: 'nsh', maskable: false, writable: true, alias: 'nsi', headers: [[0xffff, 5, 'NXOXM_NSH_SI', 0x5ad650]] },
  nsh_c1: { format: 'hex', bytes: 4, bits: 32, prereq: 'nsh', maskable: true, writable: true, alias: 'nshc1', headers: [[0xffff, 6, 'NXOXM_NSH_C1', 0x5ad650]] },
  nsh_c2: { format: 'hex', bytes: 4, bits: 32, prereq: 'nsh', maskable: true, writable: true, alias: 'nshc2', headers: [[0xffff, 7, 'NXOXM_NSH_C2', 0x5ad650]] },
  nsh_c3: { format: 'hex', bytes: 4, bits: 32, prereq: 'nsh', maskable: true, writable: true, alias: 'nshc3', headers: [[0xffff, 8, 'NXOXM_NSH_C3', 0x5ad650]] },
  nsh_c4: { format: 'hex', bytes: 4, bits: 32, prereq: 'nsh', maskable: true, writable: true, alias: 'nshc4', headers: [[0xffff, 9, 'NXOXM_NSH_C4', 0x5ad650]] },
  nsh_ttl: { format: 'dec', bytes: 1, bits: 8, prereq: 'nsh', maskable: false, writable: true, alias: '', headers: [[0xffff, 10, 'NXOXM_NSH_TTL', 0x5ad650]] },
  in_phy_port: { format: 'port', bytes: 4, bits: 32, prereq: 'in_port', maskable: false, writable: false, alias: '', headers: [[0x8000, 1, 'OXM_OF_IN_PHY_PORT']] },
  ipv6_exthdr: { format: 'hex', bytes: 2, bits: 9, prereq: 'ipv6', maskable: true, writable: false, alias: '', headers: [[0x8000, 39, 'OXM_OF_IPV6_EXTHDR']] },
  pbb_isid: { format: 'hex', bytes: 3, bits: 24, prereq: 'pbb', maskable: true, writable: true, alias: '', headers: [[0x8000, 37, 'OXM_OF_PBB_ISID']] },
  pbb_uca: { format: 'dec', bytes: 1, bits: 1, prereq: 'pbb', maskable: false, writable: true, alias: '', headers: [[0x8000, 41, 'OXM_OF_PBB_UCA']] },
  nxm_in_port: { format: 'port16', bytes: 2, bits: 16, prereq: 'none', maskable: false, writable: true, alias: '', headers: [[0x0000, 0, 'NXM_OF_IN_PORT']] },
} as const satisfies Record<string, FieldRow>;
