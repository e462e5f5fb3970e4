/**
 * What a REST endpoint is.
 *
 * Owns: the shape of an endpoint, of a call to it and of its answer. Routing, reading of parameters, OpenAPI and docs/rest.md all work from a list of these.
 * Promises: handlers see JSON values only, whether they came as JSON, YAML, a form or a query string; they throw HotoriError and nothing else on purpose.
 */
import type { ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { Params } from '../../controller/contract.js';
import type { Reason } from '../../flows/model/errors.js';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface Call {
  /** From the path; '' when the path has none. */
  readonly uuid: string;
  /** The other entity in the path; '' when the path has none. */
  readonly target: string;
  /** Parameters that `controls` does not name: the fields of an entity. */
  readonly params: Params;
  readonly controls: Readonly<Record<string, unknown>>;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Aborts when the caller has gone or the server stops. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** An answer that the endpoint writes itself and that goes on until `call.signal`. */
export interface StreamAnswer {
  readonly stream: (response: ServerResponse) => void;
}

export interface Endpoint {
  readonly method: Method;
  /** Below the base, with `{uuid}`, and the other entity in braces where there is one. */
  readonly path: string;
  readonly operation_id: string;
  readonly summary: string;
  readonly tag: string;
  /** Parameters about the request itself, accepted wherever fields are. */
  readonly controls: z.ZodObject;
  /** Fields of the body; absent: there are none. */
  readonly fields?: z.ZodObject;
  /** What is wrong with the fields, in full. */
  readonly checkFields?: (params: Params) => readonly Reason[];
  /** false: makes no revision although it is no GET. */
  readonly commits?: false;
  /** The body of a good answer. */
  readonly answer: z.ZodType;
  /** Media type of the answer where it is not JSON. */
  readonly media_type?: string;
  /** Bytes of body accepted. */
  readonly body_limit?: number;
  handle(call: Call): Promise<Answer | StreamAnswer> | Answer | StreamAnswer;
}
