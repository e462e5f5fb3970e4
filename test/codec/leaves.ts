/**
 * Comparing a decoded message with another library's JSON of the same bytes, without knowing how that library names and nests things: every value
 * that it found must be one that we found.
 */
import { parseIpv4, parseIpv6 } from '../../flows/net/ip.js';
import { parseMac } from '../../flows/net/mac.js';

function hex(bytes: Uint8Array): string {
  return `bytes:${Buffer.from(bytes).toString('hex')}`;
}

/** Every number, string and byte string in a decoded value. */
export function ours(value: unknown, found = new Set<string>()): Set<string> {
  if (value instanceof Uint8Array) {
    found.add(hex(value));
    for (const byte of value) found.add(String(byte));
    // Opaque parts hold the other side's numbers at any width.
    for (const width of [2, 4, 6, 8]) {
      for (let o = 0; o + width <= value.length; o += 1)
        found.add(String(BigInt(`0x${Buffer.from(value.subarray(o, o + width)).toString('hex')}`)));
    }
  } else if (Array.isArray(value)) {
    for (const item of value) ours(item, found);
  } else if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) ours(item, found);
  } else if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string') {
    found.add(String(value));
    // JSON numbers above 2^53 are not exact.
    if (typeof value === 'bigint') found.add(String(Number(value)));
  }
  return found;
}

function attempt(read: () => string): string[] {
  try {
    return [read()];
  } catch {
    return [];
  }
}

/** The ways in which we may have written a value that JSON has as a number or text. */
function spellings(leaf: unknown): string[] {
  if (typeof leaf !== 'string') return [String(leaf)];
  return [
    leaf,
    Buffer.from(leaf, 'utf8').toString('latin1'),
    ...attempt(() => String(parseMac(leaf))),
    ...attempt(() => String(parseIpv4(leaf))),
    ...attempt(() => String(parseIpv6(leaf))),
    ...attempt(() => String(BigInt(leaf))),
    hex(Buffer.from(leaf, 'base64')),
    ...attempt(() => String(BigInt(`0x${Buffer.from(leaf, 'base64').toString('hex')}`))),
  ];
}

/** Lengths and type numbers, which our values do not carry, and enumerations that they carry as words. */
const NOT_VALUES = new Set(
  (
    'len length type type_ class class_ actions_len match_len command role header msg_len version versions hash field subtype vendor body_len pad n_bits ' +
    'ofs_nbits mask_len instruction_and_action_ids oxm_ids table_ids reason exp_type experimenter nbits property zone_ofs_nbits recirc_table ' +
    'range_present Packet dst src src_field dst_field zone_src'
  ).split(' '),
);

/** Flags that we have as booleans, values that we have shifted into place, defaults that we leave out, bytes that we decode further;
 * and the cookie of NXT_PACKET_IN2, of which os-ken reads the padding. */
const SAID_OTHERWISE =
  /NXAction(CT|NAT)\.flags$|NXActionRegLoad\.value$|NXActionResubmit\w*\.in_port$|(OFPExperimenter|OFPExperimenterMultipart|NXActionUnknown)\.data$|NXTPacketIn2\.(metadata|total_len|cookie)$|NXTPacketIn2PropMetadata\.data$|watch_(port|group)$/;

/** Values of the JSON that we do not have, with where they are. */
export function missing(json: unknown, found: ReadonlySet<string>, where = ''): string[] {
  if (json === null || json === undefined || json === '' || typeof json === 'boolean' || SAID_OTHERWISE.test(where)) return [];
  if (Array.isArray(json)) return json.flatMap((item, index) => missing(item, found, `${where}[${index}]`));
  if (typeof json === 'object') {
    return Object.entries(json).flatMap(([key, item]) => (NOT_VALUES.has(key) ? [] : missing(item, found, `${where}.${key}`)));
  }
  return spellings(json).some((spelling) => found.has(spelling)) ? [] : [`${where} = ${JSON.stringify(json)}`];
}
