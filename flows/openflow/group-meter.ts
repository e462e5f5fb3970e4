/**
 * Buckets and meter bands on the wire (OpenFlow 1.3.5 §7.3.4.2, §7.3.4.4).
 */
import { decodeActions } from './action-decode.js';
import { encodeActions } from './action-encode.js';
import { GROUPS, PORTS } from './constants.js';
import { EncodeError, OF_ERRORS } from './errors.js';
import type { Bucket, Group, MeterBand } from './flow.js';
import { exactly, fail, need, slice } from './read.js';
import type { Writer } from './writer.js';

export const GROUP_TYPES = ['all', 'select', 'indirect', 'fast_failover'] as const;

/** The buckets that fill `start` to `end`. */
export function decodeBuckets(view: DataView, start: number, end: number): Bucket[] {
  const buckets: Bucket[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 16, 'a bucket', OF_ERRORS.bad_bucket);
    const length = view.getUint16(o);
    if (length < 16 || length > end - o || (length & 7) !== 0) {
      fail('bad_length', o, 'a bucket length of 16, 24, … that fits', OF_ERRORS.bad_bucket);
    }
    const watchPort = view.getUint32(o + 4);
    const watchGroup = view.getUint32(o + 8);
    buckets.push({
      actions: decodeActions(view, o + 16, o + length),
      weight: view.getUint16(o + 2),
      watch_port: watchPort === PORTS.ANY ? undefined : watchPort,
      watch_group: watchGroup === GROUPS.ANY ? undefined : watchGroup,
    });
    o += length;
  }
  return buckets;
}

/** An absent weight is 1 in a `select` group, where 0 would disable the bucket, and 0 elsewhere. */
export function bucketWeight(bucket: Bucket, type: Group['type']): number {
  return bucket.weight ?? (type === 'select' ? 1 : 0);
}

export function encodeBuckets(w: Writer, buckets: readonly Bucket[], type: Group['type']): void {
  for (const bucket of buckets) {
    w.room(16);
    const start = w.pos;
    w.u16(0);
    w.u16(bucketWeight(bucket, type));
    w.u32(bucket.watch_port ?? PORTS.ANY);
    w.u32(bucket.watch_group ?? GROUPS.ANY);
    w.u32(0);
    encodeActions(w, bucket.actions);
    w.view.setUint16(start, w.pos - start);
  }
}

export function decodeGroupType(view: DataView, o: number): Group['type'] {
  return GROUP_TYPES[view.getUint8(o)] ?? fail('bad_value', o, 'a group type of 0 to 3', OF_ERRORS.bad_group_type);
}

export function groupTypeCode(type: Group['type']): number {
  const code = GROUP_TYPES.indexOf(type);
  if (code < 0) throw new EncodeError('bad_value', `unknown group type ${type}`);
  return code;
}

/** The bands that fill `start` to `end`. */
export function decodeBands(view: DataView, start: number, end: number): MeterBand[] {
  const bands: MeterBand[] = [];
  let o = start;
  while (o < end) {
    need(o, end, 12, 'a meter band', OF_ERRORS.bad_band);
    const length = view.getUint16(o + 2);
    if (length < 12 || length > end - o) fail('bad_length', o + 2, 'a band length of at least 12 that fits', OF_ERRORS.bad_band);
    bands.push(decodeBand(view, o, o + length));
    o += length;
  }
  return bands;
}

function decodeBand(view: DataView, o: number, end: number): MeterBand {
  const type = view.getUint16(o);
  const rate = view.getUint32(o + 4);
  const burst_size = view.getUint32(o + 8);
  switch (type) {
    case 1:
      exactly(o, end, 16, 'a drop band', OF_ERRORS.bad_band);
      return { kind: 'drop', rate, burst_size };
    case 2:
      exactly(o, end, 16, 'a dscp_remark band', OF_ERRORS.bad_band);
      return { kind: 'dscp_remark', rate, burst_size, prec_level: view.getUint8(o + 12) };
    case 0xffff:
      need(o, end, 16, 'an experimenter band', OF_ERRORS.bad_band);
      return { kind: 'experimenter', rate, burst_size, experimenter: view.getUint32(o + 12), data: slice(view, o + 16, end) };
    default:
      return { kind: 'unknown', type, rate, burst_size, data: slice(view, o + 12, end) };
  }
}

export function encodeBands(w: Writer, bands: readonly MeterBand[]): void {
  for (const band of bands) {
    w.room(16);
    const start = w.pos;
    w.u16(bandType(band));
    w.u16(16);
    w.u32(band.rate);
    w.u32(band.burst_size);
    switch (band.kind) {
      case 'drop':
        w.u32(0);
        break;
      case 'dscp_remark':
        w.u8(band.prec_level);
        w.zeros(3);
        break;
      case 'experimenter':
        w.u32(band.experimenter);
        w.bytes(band.data);
        break;
      case 'unknown':
        w.bytes(band.data);
        break;
    }
    w.view.setUint16(start + 2, w.pos - start);
  }
}

function bandType(band: MeterBand): number {
  switch (band.kind) {
    case 'drop':
      return 1;
    case 'dscp_remark':
      return 2;
    case 'experimenter':
      return 0xffff;
    case 'unknown':
      return band.type;
  }
}
