/**
 * Request bodies.
 *
 * Owns: reading within a limit, and the three forms a body may have: JSON, YAML, form.
 * Promises: a body that is too large, in another form, not UTF-8 or broken is a HotoriError; a body read whole is never more than `limit` bytes.
 */
import type { IncomingMessage } from 'node:http';
import { parseDocument } from 'yaml';
import { HotoriError } from '../../flows/model/errors.js';
import { parseForm } from './form.js';

export type Body =
  | { readonly kind: 'fields'; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly kind: 'form'; readonly form: URLSearchParams };

const FORM_TYPES = ['application/x-www-form-urlencoded'];
const JSON_TYPES = ['application/json', 'text/json'];
const YAML_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml'];
const ACCEPTED = [...JSON_TYPES.slice(0, 1), ...YAML_TYPES.slice(0, 1), ...FORM_TYPES].join(', ');

/** Bytes of an oversized body that are read and thrown away so that the client gets to see the answer. */
const DISCARD_LIMIT = 64 * 1024 * 1024;

/** undefined when there is no body. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Body | undefined> {
  if (request.headers['transfer-encoding'] === undefined && (request.headers['content-length'] ?? '0') === '0') return undefined;
  const bytes = await readAll(request, limit);
  if (bytes.length === 0) return undefined;

  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw new HotoriError('unsupported_media_type', `a body with Content-Encoding ${encoding} is not accepted; send it as it is`);
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  const isForm = FORM_TYPES.includes(type);
  if (!isForm && !JSON_TYPES.includes(type) && !YAML_TYPES.includes(type))
    throw new HotoriError(
      'unsupported_media_type',
      `${type === '' ? 'a body without Content-Type' : `a body of ${type}`} is not accepted; send one of ${ACCEPTED}`,
    );

  const text = decode(bytes);
  if (isForm) {
    if (/^\s*[{[]/.test(text))
      throw malformed('the body looks like JSON but is sent as a form; send it with Content-Type: application/json');
    return { kind: 'form', form: parseForm(text, 'the body', 'malformed_body') };
  }
  const value = YAML_TYPES.includes(type) ? parseYaml(text) : parseJson(text);
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw malformed('the body must be an object with the parameters as its members');
  return { kind: 'fields', fields: value as Record<string, unknown> };
}

function malformed(detail: string): HotoriError {
  return new HotoriError('malformed_body', detail, { reasons: [{ pointer: '', detail }] });
}

async function readAll(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    total += chunk.length;
    if (total <= limit) chunks.push(chunk);
    else if (total > limit + DISCARD_LIMIT) break;
    else chunks.length = 0;
  }
  if (total > limit)
    throw new HotoriError('body_too_large', `the body is larger than the ${limit} bytes accepted here`, { details: { limit } });
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed('the body is not UTF-8');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw malformed(`the body is not JSON: ${(error as Error).message}`);
  }
}

function parseYaml(text: string): unknown {
  try {
    const document = parseDocument(text);
    const error = document.errors[0];
    if (error !== undefined) throw malformed(`the body is not YAML: ${error.message.split('\n', 1)[0]!}`);
    return document.toJS() as unknown;
  } catch (error) {
    if (error instanceof HotoriError) throw error;
    throw malformed(`the body is not YAML that can be read: ${(error as Error).message}`);
  }
}
