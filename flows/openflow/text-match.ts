/**
 * Matches as text, as ovs-ofctl dump-flows prints them (match_format of Open vSwitch 3.1).
 *
 * Promises: equal text for matches that are equal in canonical form. Fields that ovs-ofctl does not print are written as `unknown_oxm=0x…`.
 */
import { canonicalMatch } from './canonical-match.js';
import { FIELDS, FIELD_NAMES, type FieldName } from './fields.js';
import type { Match, Oxm, OxmField } from './match.js';
import { fragText, hex, hex0x, hexBytes, hexValue, ipv4Text, ipv6MaskedText, macText, maskedFlagsText, portText } from './text-value.js';

const DEFAULT_PRIORITY = 32768;
const IP = 0x0800;
const IPV6 = 0x86dd;
const ARP = 0x0806;
const RARP = 0x8035;

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [IP]: 'ip',
  [IPV6]: 'ipv6',
  [ARP]: 'arp',
  [RARP]: 'rarp',
  0x8847: 'mpls',
  0x8848: 'mplsm',
};
const PROTOCOLS: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  [IP]: { 1: 'icmp', 6: 'tcp', 17: 'udp', 132: 'sctp' },
  [IPV6]: { 58: 'icmp6', 6: 'tcp6', 17: 'udp6', 132: 'sctp6' },
};

const TUN_METADATA = FIELD_NAMES.filter((name) => name.startsWith('tun_metadata'));
const REGISTERS = FIELD_NAMES.filter((name) => name.startsWith('reg'));
/** Transport ports are printed under one name. */
const TP_SRC = ['tcp_src', 'udp_src', 'sctp_src'] as const;
const TP_DST = ['tcp_dst', 'udp_dst', 'sctp_dst'] as const;

/** `priority=N,` unless it is the default, then the match. Without a priority only the match. */
export function matchToString(match: Match, priority: number = DEFAULT_PRIORITY): string {
  // The canonical form splits vlan_tci, of which no more than that can be told back.
  const tci = match.find((oxm): oxm is OxmField => oxm.field === 'vlan_tci');
  const printer = new Printer(canonicalMatch(tci === undefined ? match : match.filter((oxm) => oxm !== tci)), tci);
  if (priority !== DEFAULT_PRIORITY) printer.out.push(`priority=${priority}`);
  printer.all();
  return printer.out.join();
}

class Printer {
  readonly out: string[] = [];
  readonly #fields = new Map<string, OxmField>();
  readonly #rest: Oxm[] = [];

  readonly #tci: OxmField | undefined;

  constructor(match: Match, tci: OxmField | undefined) {
    this.#tci = tci;
    for (const oxm of match) {
      if (oxm.field === 'unknown' || this.#fields.has(oxm.field)) this.#rest.push(oxm);
      else this.#fields.set(oxm.field, oxm);
    }
  }

  #take(name: FieldName): OxmField | undefined {
    const oxm = this.#fields.get(name);
    this.#fields.delete(name);
    return oxm;
  }

  /** `name=value` in a way that depends on the type; nothing if the field is not matched. */
  #print(name: FieldName, text: (value: never, mask: never) => string, label: string = name): void {
    const oxm = this.#take(name);
    if (oxm !== undefined) this.out.push(`${label}=${text(oxm.value as never, oxm.mask as never)}`);
  }

  #hex(name: FieldName): void {
    this.#print(name, (value: number | bigint, mask: number | bigint | undefined) =>
      mask === undefined ? hex(value) : `${hex(value)}/${hex(mask)}`,
    );
  }

  /** Exact in decimal, masked in hexadecimal. */
  #dec(name: FieldName, label: string = name, pad = 0): void {
    const masked = (n: number) => `0x${n.toString(16).padStart(pad, '0')}`;
    this.#print(
      name,
      (value: number, mask: number | undefined) => (mask === undefined ? String(value) : `${masked(value)}/${masked(mask)}`),
      label,
    );
  }

  #ip(name: FieldName, label: string = name): void {
    this.#print(name, (value: number, mask: number | undefined) => ipv4Text(value, mask), label);
  }

  #ip6(name: FieldName): void {
    this.#print(name, (value: bigint, mask: bigint | undefined) => ipv6MaskedText(value, mask));
  }

  #mac(name: FieldName, label: string = name): void {
    this.#print(name, (value: number, mask: number | undefined) => macText(value, mask), label);
  }

  #flags(name: 'tcp_flags' | 'ct_state' | 'tun_flags'): void {
    this.#print(name, (value: number, mask: number | undefined) => maskedFlagsText(name, value, mask));
  }

  all(): void {
    this.#hex('pkt_mark');
    this.#hex('recirc_id');
    this.#hex('dp_hash');
    this.#dec('conj_id');
    this.#print('actset_output', (value: number) => portText(value));
    this.#conntrack();
    const type = this.#type();
    for (const register of REGISTERS) this.#hex(register);
    this.#tunnel();
    this.#hex('metadata');
    this.#print('in_port', (value: number) => portText(value));
    this.#vlan();
    this.#mac('eth_src', 'dl_src');
    this.#mac('eth_dst', 'dl_dst');
    this.#network(type);
    this.#mpls();
    this.#print('ip_frag', (value: number, mask: number | undefined) => fragText(value, mask), 'nw_frag');
    this.#transport();
    this.#leftovers();
  }

  #conntrack(): void {
    this.#flags('ct_state');
    this.#dec('ct_zone');
    this.#hex('ct_mark');
    this.#hex('ct_label');
    this.#ip('ct_nw_src');
    this.#ip6('ct_ipv6_src');
    this.#ip('ct_nw_dst');
    this.#ip6('ct_ipv6_dst');
    this.#dec('ct_nw_proto');
    this.#dec('ct_tp_src');
    this.#dec('ct_tp_dst');
  }

  /** `tcp`, `ip`, … for the Ethernet type, and for the protocol where that is enough. Returns the Ethernet type. */
  #type(): number {
    const packetType = this.#take('packet_type');
    if (packetType !== undefined) {
      const value = packetType.value as number;
      this.out.push(`packet_type=(${value >>> 16},${hex(value & 0xffff)})`);
    }
    const type = this.#fields.get('eth_type')?.value as number | undefined;
    const namespaced = packetType !== undefined && (packetType.value as number) >>> 16 === 1 ? (packetType.value as number) & 0xffff : 0;
    if (type === undefined) return namespaced;
    const name = TYPE_NAMES[type];
    if (name === undefined) return type;
    this.#fields.delete('eth_type');
    const protocol = PROTOCOLS[type]?.[this.#fields.get('nw_proto')?.value as number];
    if (protocol !== undefined) this.#fields.delete('nw_proto');
    this.#icmpv6 = protocol === 'icmp6';
    this.out.push(protocol ?? name);
    return type;
  }

  #icmpv6 = false;

  #tunnel(): void {
    this.#print('tun_id', (value: bigint, mask: bigint | undefined) => (mask === undefined ? hex(value) : `${hex(value)}/${hex(mask)}`));
    this.#ip('tun_src');
    this.#ip('tun_dst');
    this.#ip6('tun_ipv6_src');
    this.#ip6('tun_ipv6_dst');
    this.#dec('tun_gbp_id');
    this.#print('tun_gbp_flags', (value: number) => hex(value));
    this.#dec('tun_erspan_ver');
    this.#print('tun_erspan_idx', (value: number) => hex(value));
    this.#dec('tun_erspan_dir');
    this.#print('tun_erspan_hwid', (value: number) => hex(value));
    this.#print('tun_gtpu_flags', (value: number) => hex(value), 'gtpu_flags');
    this.#dec('tun_gtpu_msgtype', 'gtpu_msgtype');
    // A single bit, of which Open vSwitch knows more inside: never "all bits".
    this.#print('tun_flags', (value: number) => (value === 0 ? '-oam' : '+oam'));
    for (const name of TUN_METADATA) {
      this.#print(name, (value: Uint8Array, mask: Uint8Array | undefined) =>
        mask === undefined ? hexValue(value) : `${hexValue(value)}/${hexValue(mask)}`,
      );
    }
  }

  #vlan(): void {
    const vid = this.#take('vlan_vid');
    const pcp = this.#take('vlan_pcp');
    let mask = 0;
    let tci = 0;
    if (this.#tci !== undefined) {
      mask = (this.#tci.mask as number | undefined) ?? 0xffff;
      tci = (this.#tci.value as number) & mask;
    }
    if (vid !== undefined) {
      mask |= (vid.mask as number | undefined) ?? 0x1fff;
      tci |= vid.value as number;
    }
    if (pcp !== undefined) {
      mask |= 0xf000;
      tci |= ((pcp.value as number) << 13) | 0x1000;
    }
    if (mask === 0) return;
    const vidMask = mask & 0x0fff;
    const pcpMask = mask & 0xe000;
    if ((tci & mask & 0x1000) !== 0 && (vidMask === 0 || vidMask === 0x0fff) && (vidMask | pcpMask) !== 0) {
      if (vidMask !== 0) this.out.push(`dl_vlan=${tci & 0x0fff}`);
      if (pcpMask !== 0) this.out.push(`dl_vlan_pcp=${tci >>> 13}`);
      return;
    }
    const text = (n: number) => `0x${n.toString(16).padStart(4, '0')}`;
    this.out.push(mask === 0xffff ? `vlan_tci=${text(tci)}` : `vlan_tci=${text(tci)}/${text(mask)}`);
  }

  #network(type: number): void {
    this.#print('eth_type', (value: number) => `0x${value.toString(16).padStart(4, '0')}`, 'dl_type');
    this.#ip6('ipv6_src');
    this.#ip6('ipv6_dst');
    const label = (n: number) => `0x${n.toString(16).padStart(5, '0')}`;
    this.#print('ipv6_label', (value: number, mask: number | undefined) =>
      mask === undefined ? label(value) : `${label(value)}/${label(mask)}`,
    );
    this.#ip('arp_spa');
    this.#ip('arp_tpa');
    this.#nsh();
    this.#ip('ip_src', 'nw_src');
    this.#ip('ip_dst', 'nw_dst');
    if (type === ARP || type === RARP) this.#dec('arp_op');
    this.#dec('nw_proto');
    this.#mac('arp_sha');
    this.#mac('arp_tha');
    this.#print('ip_dscp', (value: number) => String(value << 2), 'nw_tos');
    this.#dec('nw_ecn');
    this.#dec('nw_ttl');
  }

  #nsh(): void {
    for (const name of ['nsh_flags', 'nsh_ttl', 'nsh_mdtype', 'nsh_np'] as const) this.#dec(name, name, 2);
    this.#hex('nsh_spi');
    this.#dec('nsh_si', 'nsh_si', 2);
    for (const name of ['nsh_c1', 'nsh_c2', 'nsh_c3', 'nsh_c4'] as const) this.#hex(name);
  }

  #mpls(): void {
    for (const name of ['mpls_label', 'mpls_tc', 'mpls_ttl', 'mpls_bos'] as const) this.#dec(name);
  }

  #transport(): void {
    this.#dec('icmp_type');
    this.#dec('icmp_code');
    if (this.#icmpv6) {
      this.#dec('icmpv6_type', 'icmp_type');
      this.#dec('icmpv6_code', 'icmp_code');
    }
    this.#ip6('nd_target');
    this.#mac('nd_sll');
    this.#mac('nd_tll');
    this.#dec('nd_reserved');
    this.#dec('nd_options_type');
    for (const name of TP_SRC) this.#dec(name, 'tp_src');
    for (const name of TP_DST) this.#dec(name, 'tp_dst');
    this.#flags('tcp_flags');
  }

  /** What ovs-ofctl has no words for: fields without their prerequisites, and unknown ones. */
  #leftovers(): void {
    for (const oxm of this.#fields.values()) {
      const text = oxm.mask === undefined ? hexValue(oxm.value) : `${hexValue(oxm.value)}/${hexValue(oxm.mask)}`;
      this.out.push(`${FIELDS[oxm.field].name}=${text}`);
    }
    for (const oxm of this.#rest) {
      if (oxm.field !== 'unknown') continue;
      const experimenter = oxm.experimenter === undefined ? '' : `.${hex0x(oxm.experimenter)}`;
      this.out.push(`unknown_oxm=${hex0x(oxm.header)}${experimenter}:${hexBytes(oxm.bytes)}`);
    }
  }
}
