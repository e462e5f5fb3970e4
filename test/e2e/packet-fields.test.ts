/**
 * What extractFields reads in a frame against what Open vSwitch itself reads (`ovs-ofctl parse-pcap`), for whole, cut and altered frames.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { formatIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { formatMac } from '../../flows/net/mac.js';
import { extractFields, type PacketFields } from '../../flows/packet/packet-view.js';
import { alteredFrame } from '../flows/packet/frames.js';

const FRAMES = 20_000;
/** The same frames every time; another seed tries others. */
const SEED = Number(process.env['SEED'] ?? 20_261_121);

const tagAt = (frame: Uint8Array, offset: number): boolean =>
  ['8100', '88a8'].includes(Buffer.from(frame.subarray(offset, offset + 2)).toString('hex'));
const UNREAD = ['8847', '8848', '894f'];
/** ovs-ofctl reads two tags where a switch by default reads one; takes an empty record for the end of the file; and reads MPLS and NSH, which we do not. */
const comparable = (frame: Uint8Array): boolean =>
  frame.length > 0 &&
  !(tagAt(frame, 12) && tagAt(frame, 16)) &&
  ![12, 16].some((offset) => UNREAD.includes(Buffer.from(frame.subarray(offset, offset + 2)).toString('hex')));

function pcap(frames: readonly Uint8Array[]): Buffer {
  const head = Buffer.from('a1b2c3d40002000400000000000000000004000000000001', 'hex');
  const records = frames.flatMap((frame) => {
    const record = Buffer.alloc(16);
    record.writeUInt32BE(frame.length, 8);
    record.writeUInt32BE(frame.length, 12);
    return [record, frame];
  });
  return Buffer.concat([head, ...records]);
}

const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns', '[200]', '[400]', '[800]'];
const FRAGMENTS = ['no', 'first', undefined, 'later'];
const PROTOCOLS: Record<string, string> = {
  '2048/1': 'icmp',
  '2048/6': 'tcp',
  '2048/17': 'udp',
  '2048/132': 'sctp',
  '34525/6': 'tcp6',
  '34525/17': 'udp6',
  '34525/58': 'icmp6',
  '34525/132': 'sctp6',
};
const TYPES: Record<string, string> = { 2048: 'ip', 34525: 'ipv6', 2054: 'arp', 32821: 'rarp' };

/** `kind` and the fields of one line of ovs-ofctl, addresses and flags in one spelling. */
function theirs(line: string): Record<string, string> {
  const items = line.split(',').map((item) => item.split('=', 2));
  const spelled = items.flatMap(([key = '', value]): [string, string][] => {
    if (value === undefined) return [['kind', key]];
    if (/^ipv6_(src|dst)$|^nd_target$/.test(key)) return [[key, String(parseIpv6(value))]];
    if (key === 'tcp_flags')
      return [[key, String(value === '0' ? 0 : value.split('|').reduce((bits, name) => bits | (1 << TCP_FLAGS.indexOf(name)), 0))]];
    return [[key, value]];
  });
  return Object.fromEntries(spelled);
}

/** The same of what we read. */
function ours(f: PacketFields): Record<string, string> {
  const text: Record<string, string | undefined> = {
    kind: PROTOCOLS[`${f.eth_type}/${f.nw_proto}`] ?? TYPES[f.eth_type],
    dl_type: `0x${f.eth_type.toString(16).padStart(4, '0')}`,
    dl_src: formatMac(f.eth_src),
    dl_dst: formatMac(f.eth_dst),
    dl_vlan: f.vlan_tci === 0 ? undefined : String(f.vlan_vid & 0xfff),
    dl_vlan_pcp: f.vlan_tci === 0 ? undefined : String(f.vlan_pcp),
    arp_spa: f.arp_spa === undefined ? undefined : formatIpv4(f.arp_spa),
    arp_tpa: f.arp_tpa === undefined ? undefined : formatIpv4(f.arp_tpa),
    arp_sha: f.arp_sha === undefined ? undefined : formatMac(f.arp_sha),
    arp_tha: f.arp_tha === undefined ? undefined : formatMac(f.arp_tha),
    nw_src: f.ip_src === undefined ? undefined : formatIpv4(f.ip_src),
    nw_dst: f.ip_dst === undefined ? undefined : formatIpv4(f.ip_dst),
    ipv6_label: f.ipv6_label === undefined ? undefined : `0x${f.ipv6_label.toString(16).padStart(5, '0')}`,
    nw_frag: f.ip_frag === undefined ? undefined : FRAGMENTS[f.ip_frag],
    nd_sll: f.nd_sll === undefined ? undefined : formatMac(f.nd_sll),
    nd_tll: f.nd_tll === undefined ? undefined : formatMac(f.nd_tll),
  };
  const numbers = {
    arp_op: f.arp_op,
    ipv6_src: f.ipv6_src,
    ipv6_dst: f.ipv6_dst,
    nw_proto: f.nw_proto,
    nw_tos: f.nw_tos,
    nw_ecn: f.nw_ecn,
    nw_ttl: f.nw_ttl,
    tp_src: f.tcp_src ?? f.udp_src ?? f.sctp_src,
    tp_dst: f.tcp_dst ?? f.udp_dst ?? f.sctp_dst,
    tcp_flags: f.tcp_flags,
    icmp_type: f.icmp_type ?? f.icmpv6_type,
    icmp_code: f.icmp_code ?? f.icmpv6_code,
    nd_target: f.nd_target,
    nd_reserved: f.nd_reserved,
    nd_options_type: f.nd_options_type,
  };
  for (const [key, value] of Object.entries(numbers)) text[key] = value === undefined ? undefined : String(value);
  return Object.fromEntries(Object.entries(text).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

const NOT_OURS = ['in_port', 'vlan_tci', 'vlan_tci1'];
const IMPLIED = ['dl_type', 'nw_proto', 'nd_reserved', 'nd_options_type'];
const TRANSPORT = ['tp_src', 'tp_dst', 'tcp_flags', 'icmp_type', 'icmp_code'];

/**
 * ovs-ofctl does not print what the kind implies, zeros of later fragments and some zeros of neighbour discovery; it does print the types of IGMP, and of either ICMP in
 * the other's IP version, as ports and the link address a solicitation cannot have.
 */
function difference(frame: Uint8Array, line: string): Record<string, unknown> | undefined {
  const fields = extractFields(frame);
  const [own, switchs] = [ours(fields), theirs(line)];
  const onlyTheirs = [
    ...NOT_OURS,
    ...([1, 2].includes(fields.nw_proto ?? 0) || (fields.nw_proto === 58 && fields.eth_type === 0x0800) ? TRANSPORT : []),
    ...(fields.nd_target === undefined ? [] : ['nd_sll', 'nd_tll']),
  ];
  const onlyOurs = [...IMPLIED, ...((fields.ip_frag ?? 0) > 1 ? TRANSPORT : [])];
  const unknown = Object.keys(switchs).filter((key) => own[key] === undefined && !onlyTheirs.includes(key));
  const missing = Object.keys(own).filter((key) => switchs[key] === undefined && !onlyOurs.includes(key));
  const other = Object.keys(own).filter((key) => switchs[key] !== undefined && switchs[key] !== own[key]);
  return unknown.length + missing.length + other.length > 0
    ? { frame: Buffer.from(frame).toString('hex'), unknown, missing, other, own, line }
    : undefined;
}

describe('extractFields', () => {
  it(`reads ${FRAMES} frames as Open vSwitch does`, () => {
    const frames = fc.sample(alteredFrame.filter(comparable), { numRuns: FRAMES, seed: SEED });
    const dir = mkdtempSync(join(tmpdir(), 'packet-fields-'));
    const file = join(dir, 'frames.pcap');
    writeFileSync(file, pcap(frames));
    const lines = execFileSync('ovs-ofctl', ['parse-pcap', file], { encoding: 'utf8', maxBuffer: 2 ** 28 })
      .trimEnd()
      .split('\n');
    rmSync(dir, { recursive: true });
    expect(lines).toHaveLength(frames.length);
    expect(frames.flatMap((frame, index) => difference(frame, lines[index]!) ?? []).slice(0, 3)).toEqual([]);
  });
});
