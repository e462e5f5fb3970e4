/**
 * Matches from text, in the syntax of ovs-ofctl(8) and ovs-fields(7).
 *
 * Promises: the inverse of matchToString up to canonical form.
 * @throws TextError, or AddressError for an address.
 */
import { FIELDS, type FieldName } from './fields.js';
import type { Match, Oxm } from './match.js';
import { TextError } from './text-error.js';
import { bytesFromHex, fieldByLabel, parseBig, parseFieldValue, parseNumber } from './text-value.js';

const SHORTHANDS: Readonly<Record<string, readonly [type: number, protocol?: number]>> = {
  ip: [0x0800],
  icmp: [0x0800, 1],
  tcp: [0x0800, 6],
  udp: [0x0800, 17],
  sctp: [0x0800, 132],
  ipv6: [0x86dd],
  ip6: [0x86dd],
  icmp6: [0x86dd, 58],
  tcp6: [0x86dd, 6],
  udp6: [0x86dd, 17],
  sctp6: [0x86dd, 132],
  arp: [0x0806],
  rarp: [0x8035],
  mpls: [0x8847],
  mplsm: [0x8848],
};

const PROTOCOL_PORTS: Readonly<Record<number, readonly [src: FieldName, dst: FieldName]>> = {
  6: ['tcp_src', 'tcp_dst'],
  17: ['udp_src', 'udp_dst'],
  132: ['sctp_src', 'sctp_dst'],
};

const KEY_NAMES: Readonly<Record<string, FieldName>> = {
  in_port: 'in_port',
  dl_src: 'eth_src',
  dl_dst: 'eth_dst',
  dl_type: 'eth_type',
  nw_frag: 'ip_frag',
  gtpu_flags: 'tun_gtpu_flags',
  gtpu_msgtype: 'tun_gtpu_msgtype',
  tunnel_id: 'tun_id',
};

/** The match that a list of `key=value` parts says. */
export function matchFromParts(parts: readonly (readonly [name: string, value: string])[]): Match {
  const match: Oxm[] = [];
  // What ports, ICMP types and addresses mean depends on these.
  let type: number | undefined;
  let protocol: number | undefined;
  const proto = (number: number): void => {
    protocol = number;
    match.push({ field: 'nw_proto', value: number });
  };
  for (const [name, value] of parts) {
    const short = Object.hasOwn(SHORTHANDS, name) ? SHORTHANDS[name] : undefined;
    if (short !== undefined && value === '') {
      [type] = short;
      match.push({ field: 'eth_type', value: short[0] });
      if (short[1] !== undefined) proto(short[1]);
    } else if (name === 'nw_proto' || name === 'ip_proto') {
      proto(parseNumber(value, 8));
    } else if (name === 'dl_type' || name === 'eth_type') {
      type = parseNumber(value, 16);
      match.push({ field: 'eth_type', value: type });
    } else {
      match.push(...oxmsOf(name, value, type, protocol));
    }
  }
  return mergedVlan(match);
}

function oxmsOf(name: string, value: string, type: number | undefined, protocol: number | undefined): Oxm[] {
  switch (name) {
    case 'dl_vlan':
      return [{ field: 'vlan_vid', value: 0x1000 | parseNumber(value, 12) }];
    case 'dl_vlan_pcp':
      return [{ field: 'vlan_pcp', value: parseNumber(value, 3) }];
    case 'nw_tos':
      return [{ field: 'ip_dscp', value: parseNumber(value, 8) >>> 2 }];
    case 'nw_src':
      return [valueOf(addressField(type, 'src'), value)];
    case 'nw_dst':
      return [valueOf(addressField(type, 'dst'), value)];
    case 'tp_src':
      return [valueOf(portField(value, protocol, 0), value)];
    case 'tp_dst':
      return [valueOf(portField(value, protocol, 1), value)];
    case 'icmp_type':
      return [valueOf(protocol === 58 ? 'icmpv6_type' : 'icmp_type', value)];
    case 'icmp_code':
      return [valueOf(protocol === 58 ? 'icmpv6_code' : 'icmp_code', value)];
    case 'unknown_oxm':
      return [unknownOxm(value)];
    default: {
      const field = Object.hasOwn(KEY_NAMES, name) ? KEY_NAMES[name] : fieldByLabel(name)?.name;
      if (field === undefined) throw new TextError(name, 'a match field expected');
      return [valueOf(field, value)];
    }
  }
}

function addressField(type: number | undefined, direction: 'src' | 'dst'): FieldName {
  if (type === 0x0806 || type === 0x8035) return direction === 'src' ? 'arp_spa' : 'arp_tpa';
  return direction === 'src' ? 'ip_src' : 'ip_dst';
}

function portField(value: string, protocol: number | undefined, which: 0 | 1): FieldName {
  const fields = protocol === undefined ? undefined : PROTOCOL_PORTS[protocol];
  if (fields === undefined) throw new TextError(value, 'a port needs tcp, udp or sctp before it');
  return fields[which];
}

function valueOf(field: FieldName, text: string): Oxm {
  const { value, mask } = parseFieldValue(FIELDS[field], text);
  return { field, value, mask };
}

function unknownOxm(text: string): Oxm {
  const [, header, experimenter, bytes] = /^(0x[0-9a-f]+)(?:\.(0x[0-9a-f]+))?:([0-9a-f]*)$/i.exec(text) ?? [];
  if (header === undefined || bytes === undefined) throw new TextError(text, 'header:bytes expected');
  const opaque = { field: 'unknown', header: Number(parseBig(header, 32)), bytes: bytesFromHex(bytes) } as const;
  return experimenter === undefined ? opaque : { ...opaque, experimenter: parseNumber(experimenter, 32) };
}

/** A priority without a VLAN id still says that there is a tag. */
function mergedVlan(match: Oxm[]): Match {
  const pcp = match.findIndex((oxm) => oxm.field === 'vlan_pcp');
  if (pcp < 0 || match.some((oxm) => oxm.field === 'vlan_vid')) return match;
  match.splice(pcp, 0, { field: 'vlan_vid', value: 0x1000, mask: 0x1000 });
  return match;
}
