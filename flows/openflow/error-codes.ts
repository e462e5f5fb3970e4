/**
 * Names of errors: OpenFlow 1.3.5 §7.4.4, the ONF extensions for 1.3, and the Nicira errors of Open vSwitch (ofp-errors.h).
 *
 * Promises: every error has a name; unknown ones say their numbers.
 */
import { EXPERIMENTERS } from './constants.js';
import type { OfError } from './errors.js';

/** OFPET_EXPERIMENTER. */
export const ERROR_TYPE_EXPERIMENTER = 0xffff;

/** Prefix of the names, and the names by code, of each OFPET_ type. */
const STANDARD: readonly { readonly type: string; readonly prefix: string; readonly codes: readonly string[] }[] = [
  { type: 'OFPET_HELLO_FAILED', prefix: 'OFPHFC', codes: ['INCOMPATIBLE', 'EPERM'] },
  {
    type: 'OFPET_BAD_REQUEST',
    prefix: 'OFPBRC',
    codes: [
      'BAD_VERSION',
      'BAD_TYPE',
      'BAD_MULTIPART',
      'BAD_EXPERIMENTER',
      'BAD_EXP_TYPE',
      'EPERM',
      'BAD_LEN',
      'BUFFER_EMPTY',
      'BUFFER_UNKNOWN',
      'BAD_TABLE_ID',
      'IS_SLAVE',
      'BAD_PORT',
      'BAD_PACKET',
      'MULTIPART_BUFFER_OVERFLOW',
    ],
  },
  {
    type: 'OFPET_BAD_ACTION',
    prefix: 'OFPBAC',
    codes: [
      'BAD_TYPE',
      'BAD_LEN',
      'BAD_EXPERIMENTER',
      'BAD_EXP_TYPE',
      'BAD_OUT_PORT',
      'BAD_ARGUMENT',
      'EPERM',
      'TOO_MANY',
      'BAD_QUEUE',
      'BAD_OUT_GROUP',
      'MATCH_INCONSISTENT',
      'UNSUPPORTED_ORDER',
      'BAD_TAG',
      'BAD_SET_TYPE',
      'BAD_SET_LEN',
      'BAD_SET_ARGUMENT',
    ],
  },
  {
    type: 'OFPET_BAD_INSTRUCTION',
    prefix: 'OFPBIC',
    codes: [
      'UNKNOWN_INST',
      'UNSUP_INST',
      'BAD_TABLE_ID',
      'UNSUP_METADATA',
      'UNSUP_METADATA_MASK',
      'BAD_EXPERIMENTER',
      'BAD_EXP_TYPE',
      'BAD_LEN',
      'EPERM',
    ],
  },
  {
    type: 'OFPET_BAD_MATCH',
    prefix: 'OFPBMC',
    codes: [
      'BAD_TYPE',
      'BAD_LEN',
      'BAD_TAG',
      'BAD_DL_ADDR_MASK',
      'BAD_NW_ADDR_MASK',
      'BAD_WILDCARDS',
      'BAD_FIELD',
      'BAD_VALUE',
      'BAD_MASK',
      'BAD_PREREQ',
      'DUP_FIELD',
      'EPERM',
    ],
  },
  {
    type: 'OFPET_FLOW_MOD_FAILED',
    prefix: 'OFPFMFC',
    codes: ['UNKNOWN', 'TABLE_FULL', 'BAD_TABLE_ID', 'OVERLAP', 'EPERM', 'BAD_TIMEOUT', 'BAD_COMMAND', 'BAD_FLAGS'],
  },
  {
    type: 'OFPET_GROUP_MOD_FAILED',
    prefix: 'OFPGMFC',
    codes: [
      'GROUP_EXISTS',
      'INVALID_GROUP',
      'WEIGHT_UNSUPPORTED',
      'OUT_OF_GROUPS',
      'OUT_OF_BUCKETS',
      'CHAINING_UNSUPPORTED',
      'WATCH_UNSUPPORTED',
      'LOOP',
      'UNKNOWN_GROUP',
      'CHAINED_GROUP',
      'BAD_TYPE',
      'BAD_COMMAND',
      'BAD_BUCKET',
      'BAD_WATCH',
      'EPERM',
    ],
  },
  { type: 'OFPET_PORT_MOD_FAILED', prefix: 'OFPPMFC', codes: ['BAD_PORT', 'BAD_HW_ADDR', 'BAD_CONFIG', 'BAD_ADVERTISE', 'EPERM'] },
  { type: 'OFPET_TABLE_MOD_FAILED', prefix: 'OFPTMFC', codes: ['BAD_TABLE', 'BAD_CONFIG', 'EPERM'] },
  { type: 'OFPET_QUEUE_OP_FAILED', prefix: 'OFPQOFC', codes: ['BAD_PORT', 'BAD_QUEUE', 'EPERM'] },
  { type: 'OFPET_SWITCH_CONFIG_FAILED', prefix: 'OFPSCFC', codes: ['BAD_FLAGS', 'BAD_LEN', 'EPERM'] },
  { type: 'OFPET_ROLE_REQUEST_FAILED', prefix: 'OFPRRFC', codes: ['STALE', 'UNSUP', 'BAD_ROLE'] },
  {
    type: 'OFPET_METER_MOD_FAILED',
    prefix: 'OFPMMFC',
    codes: [
      'UNKNOWN',
      'METER_EXISTS',
      'INVALID_METER',
      'UNKNOWN_METER',
      'BAD_COMMAND',
      'BAD_FLAGS',
      'BAD_RATE',
      'BAD_BURST',
      'BAD_BAND',
      'BAD_BAND_VALUE',
      'OUT_OF_METERS',
      'OUT_OF_BANDS',
    ],
  },
  {
    type: 'OFPET_TABLE_FEATURES_FAILED',
    prefix: 'OFPTFFC',
    codes: ['BAD_TABLE', 'BAD_METADATA', 'BAD_TYPE', 'BAD_LEN', 'BAD_ARGUMENT', 'EPERM'],
  },
];

const ONF: Readonly<Record<number, string>> = {
  2300: 'OFPBFC_UNKNOWN',
  2301: 'OFPBFC_EPERM',
  2302: 'OFPBFC_BAD_ID',
  2303: 'OFPBFC_BUNDLE_EXIST',
  2304: 'OFPBFC_BUNDLE_CLOSED',
  2305: 'OFPBFC_OUT_OF_BUNDLES',
  2306: 'OFPBFC_BAD_TYPE',
  2307: 'OFPBFC_BAD_FLAGS',
  2308: 'OFPBFC_MSG_BAD_LEN',
  2309: 'OFPBFC_MSG_BAD_XID',
  2310: 'OFPBFC_MSG_UNSUP',
  2311: 'OFPBFC_MSG_CONFLICT',
  2312: 'OFPBFC_MSG_TOO_MANY',
  2313: 'OFPBFC_MSG_FAILED',
  2314: 'OFPBFC_TIMEOUT',
  2315: 'OFPBFC_BUNDLE_IN_PROGRESS',
  2360: 'OFPFMFC_BAD_PRIORITY',
  2370: 'OFPACFC_INVALID',
  2371: 'OFPACFC_UNSUPPORTED',
  2372: 'OFPACFC_EPERM',
  2600: 'OFPBIC_DUP_INST',
  2640: 'OFPBRC_MULTIPART_REQUEST_TIMEOUT',
  2641: 'OFPBRC_MULTIPART_REPLY_TIMEOUT',
  4250: 'OFPBAC_BAD_SET_MASK',
  4443: 'OFPBPC_TOO_MANY',
  4444: 'OFPBPC_DUP_TYPE',
  4445: 'OFPBPC_BAD_EXPERIMENTER',
  4446: 'OFPBPC_BAD_EXP_TYPE',
  4447: 'OFPBPC_BAD_EXP_VALUE',
  4448: 'OFPBPC_EPERM',
};

const NICIRA: Readonly<Record<number, string>> = {
  2: 'NXBRC_NXM_INVALID',
  3: 'NXBRC_NXM_BAD_TYPE',
  4: 'NXBRC_MUST_BE_ZERO',
  5: 'NXBRC_BAD_REASON',
  6: 'OFPMOFC_MONITOR_EXISTS',
  7: 'OFPMOFC_BAD_FLAGS',
  8: 'OFPMOFC_UNKNOWN_MONITOR',
  9: 'NXBRC_FM_BAD_EVENT',
  10: 'NXBRC_UNENCODABLE_ERROR',
  11: 'NXBAC_MUST_BE_ZERO',
  12: 'NXFMFC_HARDWARE',
  13: 'NXFMFC_BAD_TABLE_ID',
  15: 'NXBAC_BAD_CONJUNCTION',
  16: 'NXTTMFC_BAD_COMMAND',
  17: 'NXTTMFC_BAD_OPT_LEN',
  18: 'NXTTMFC_BAD_FIELD_IDX',
  19: 'NXTTMFC_TABLE_FULL',
  20: 'NXTTMFC_ALREADY_MAPPED',
  21: 'NXTTMFC_DUP_ENTRY',
  34: 'NXR_NOT_SUPPORTED',
  35: 'NXR_STALE',
  36: 'NXST_NOT_CONFIGURED',
  37: 'NXFMFC_INVALID_TLV_FIELD',
  38: 'NXTTMFC_INVALID_TLV_DEL',
  39: 'NXBAC_BAD_HEADER_TYPE',
  40: 'NXBAC_UNKNOWN_ED_PROP',
  41: 'NXBAC_BAD_ED_PROP',
  42: 'NXBAC_CT_DATAPATH_SUPPORT',
  43: 'NXBMC_CT_DATAPATH_SUPPORT',
  44: 'NXTFFC_DUP_TABLE',
};

/** `OFPBAC_BAD_OUT_GROUP` style. */
export function errorName(error: OfError): string {
  if (error.type === ERROR_TYPE_EXPERIMENTER) {
    const names = error.experimenter === EXPERIMENTERS.ONF ? ONF : error.experimenter === EXPERIMENTERS.NICIRA ? NICIRA : {};
    return names[error.code] ?? `experimenter 0x${(error.experimenter ?? 0).toString(16)} code ${error.code}`;
  }
  const known = STANDARD[error.type];
  if (known === undefined) return `type ${error.type} code ${error.code}`;
  const name = known.codes[error.code];
  return name === undefined ? `${known.type} code ${error.code}` : `${known.prefix}_${name}`;
}

/** Every error that has a name. */
export function namedErrors(): (OfError & { readonly name: string })[] {
  const standard = STANDARD.flatMap(({ codes }, type) => codes.map((_, code) => ({ type, code })));
  const extension = (names: Readonly<Record<number, string>>, experimenter: number) =>
    Object.keys(names).map((code) => ({ type: ERROR_TYPE_EXPERIMENTER, code: Number(code), experimenter }));
  const all: OfError[] = [...standard, ...extension(ONF, EXPERIMENTERS.ONF), ...extension(NICIRA, EXPERIMENTERS.NICIRA)];
  return all.map((error) => ({ ...error, name: errorName(error) }));
}
