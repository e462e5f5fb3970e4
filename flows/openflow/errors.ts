/**
 * The two errors of the codec.
 *
 * Owns: `DecodeError`, thrown for bytes that are not a message, and `EncodeError`, thrown for a value that does not fit the wire.
 * Promises: nothing else is ever thrown by decoding; `of_type`/`of_code` are the OFPT_ERROR to answer with (OpenFlow 1.3.5 §7.4.4).
 */

export type DecodeErrorCode =
  /** Fewer bytes than the header or a fixed part needs. */
  | 'truncated'
  /** A length field that is too small, too large or not aligned. */
  | 'bad_length'
  /** Another version than 4 outside HELLO and ERROR. */
  | 'bad_version'
  /** A command, group type, role … that the protocol does not have. */
  | 'bad_value'
  /** Actions nested deeper than MAX_ACTION_DEPTH, or a bundle in a bundle. */
  | 'too_deep';

/** What an OFPT_ERROR says: type and code, with the experimenter of an experimenter error (then `type` is 0xffff). */
export interface OfError {
  readonly type: number;
  readonly code: number;
  readonly experimenter?: number | undefined;
}

/** Bytes that are not a well-formed OpenFlow message. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly code: DecodeErrorCode;
  /** Byte offset from the start of the message. */
  readonly offset: number;
  /** What should have been there. */
  readonly expected: string;
  /** OFPET_* and its code, to answer with. */
  readonly ofType: number;
  readonly ofCode: number;
  /** Set when `ofType` is 0xffff. */
  readonly experimenter: number | undefined;

  constructor(code: DecodeErrorCode, offset: number, expected: string, of: OfError) {
    super(`${code} at byte ${offset}: expected ${expected}`);
    this.code = code;
    this.offset = offset;
    this.expected = expected;
    this.ofType = of.type;
    this.ofCode = of.code;
    this.experimenter = of.experimenter;
  }
}

export type EncodeErrorCode =
  /** The message would exceed 65,535 bytes. */
  | 'too_long'
  /** A value of the wrong type or out of the range of its wire field. */
  | 'bad_value';

/** A value that has no form on the wire. */
export class EncodeError extends Error {
  override readonly name = 'EncodeError';
  readonly code: EncodeErrorCode;

  constructor(code: EncodeErrorCode, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** OFPET_/code pairs that decoding maps to. */
export const OF_ERRORS = {
  bad_version: { type: 1, code: 0 },
  bad_request_len: { type: 1, code: 6 },
  bad_action_len: { type: 2, code: 1 },
  bad_set_len: { type: 2, code: 14 },
  too_many_actions: { type: 2, code: 7 },
  bad_instruction_len: { type: 3, code: 7 },
  bad_match_type: { type: 4, code: 0 },
  bad_match_len: { type: 4, code: 1 },
  bad_flow_command: { type: 5, code: 6 },
  bad_group_type: { type: 6, code: 10 },
  bad_group_command: { type: 6, code: 11 },
  bad_bucket: { type: 6, code: 12 },
  bad_role: { type: 11, code: 2 },
  bad_meter_command: { type: 12, code: 4 },
  bad_band: { type: 12, code: 8 },
  bad_table_features_len: { type: 13, code: 3 },
  bundle_bad_type: { type: 0xffff, code: 2306, experimenter: 0x4f4e4600 },
  bundle_bad_len: { type: 0xffff, code: 2308, experimenter: 0x4f4e4600 },
  bundle_bad_xid: { type: 0xffff, code: 2309, experimenter: 0x4f4e4600 },
  bundle_unsupported: { type: 0xffff, code: 2310, experimenter: 0x4f4e4600 },
  bad_tlv_command: { type: 0xffff, code: 16, experimenter: 0x2320 },
} as const satisfies Record<string, OfError>;
