/**
 * Messages between processes as bytes.
 *
 * Owns: the version that all of them bear, their encoding (CBOR), and what goes wrong in reading them.
 * Promises: whatever bytes come in, reading ends in a checked value or a MessageError.
 */
import { Encoder } from 'cbor-x';
import { z } from 'zod';
import { ERROR_CODES, HotoriError, type ErrorCode } from '../../flows/model/errors.js';

/** Processes whose versions differ refuse one another's messages. Grows when a message changes its meaning or loses a field. */
export const MESSAGE_VERSION = 1;

/** `malformed`: not what it should be. `version`: of a program that speaks another version. */
export type MessageErrorCode = 'malformed' | 'version';

export class MessageError extends Error {
  override readonly name = 'MessageError';
  readonly code: MessageErrorCode;

  constructor(code: MessageErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

const codec = new Encoder({ useRecords: false, mapsAsObjects: true });
const envelopeSchema = z.object({ v: z.int(), kind: z.string(), body: z.unknown() });

const reasonSchema = z.object({ pointer: z.string(), detail: z.string(), uuid: z.string().optional() });
const failureSchema = z.object({
  code: z.string(),
  message: z.string(),
  reasons: z.array(reasonSchema),
  details: z.record(z.string(), z.unknown()),
});

/** @param version another than ours only in tests. */
export function encodeMessage(kind: string, body: unknown, version = MESSAGE_VERSION): Uint8Array {
  // The encoder reuses its buffer.
  return Uint8Array.from(codec.encode({ v: version, kind, body }));
}

/** Throws MessageError. */
export function decodeMessage<T>(
  bytes: Uint8Array,
  schemas: Readonly<Record<string, z.ZodType<T>>>,
): { readonly kind: string; readonly body: T } {
  const { kind, body } = open(bytes);
  const schema = Object.hasOwn(schemas, kind) ? schemas[kind] : undefined;
  if (schema === undefined) throw new MessageError('malformed', `a message of kind ${JSON.stringify(kind)} is not expected here`);
  return { kind, body: check(schema, body, kind) };
}

/** What a handler answers, or the HotoriError it threw. Other errors pass through. */
export async function encodeOutcome(work: () => Promise<unknown>): Promise<Uint8Array> {
  try {
    return encodeMessage('done', await work());
  } catch (error) {
    if (error instanceof MessageError) return encodeMessage(error.code, { message: error.message });
    if (!(error instanceof HotoriError)) throw error;
    const { code, message, reasons, details } = error;
    return encodeMessage('refused', { code, message, reasons, details });
  }
}

/** Throws the HotoriError of the other side, or MessageError. */
export function decodeOutcome<T>(bytes: Uint8Array, schema: z.ZodType<T>): T {
  const { kind, body } = open(bytes);
  if (kind === 'done') return check(schema, body, 'answer');
  if (kind === 'malformed' || kind === 'version')
    throw new MessageError(kind, `the other side: ${check(z.object({ message: z.string() }), body, kind).message}`);
  if (kind !== 'refused') throw new MessageError('malformed', `an answer of kind ${JSON.stringify(kind)} is not known`);
  const { code, message, reasons, details } = check(failureSchema, body, kind);
  throw new HotoriError(isErrorCode(code) ? code : 'internal', message, { reasons: reasons, details });
}

function open(bytes: Uint8Array): { readonly kind: string; readonly body: unknown } {
  let value: unknown;
  try {
    value = codec.decode(bytes);
  } catch (error) {
    throw new MessageError(
      'malformed',
      `a message of ${bytes.length} bytes is not CBOR: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
  const found = envelopeSchema.safeParse(value);
  if (!found.success) throw new MessageError('malformed', `a message of ${bytes.length} bytes is none of ours`);
  const { v, kind, body } = found.data;
  if (v !== MESSAGE_VERSION)
    throw new MessageError('version', `a message of version ${v} came; this program speaks version ${MESSAGE_VERSION}`);
  return { kind, body };
}

function check<T>(schema: z.ZodType<T>, body: unknown, kind: string): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new MessageError(
    'malformed',
    `a message of kind ${kind}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong'}`,
    result.error,
  );
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}
