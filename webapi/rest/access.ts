/**
 * What every request gets before it is looked at: an id, a line in the log, a form for its answer.
 */
import type { NextFunction, Request, Response } from 'express';
import type { Logger } from 'pino';
import { HotoriError } from '../../flows/model/errors.js';
import { splitSuffix, type Format } from './format.js';

/** Kept in `response.locals`. */
export interface RequestState {
  request_id: string;
  format: Format;
  /** Path with its parameters unfilled, for logs; undefined for a path that is none of ours. */
  route: string | undefined;
}

const CLIENT_ID = /^[\w.-]{1,64}$/;

export function stateOf(response: Response): RequestState {
  return response.locals as RequestState;
}

/** Notes how long a request took, by method, route and status code. */
export type NoteRequest = (labels: Readonly<Record<string, string>>, seconds: number) => void;

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE']);

export function accessLog(logger: Logger, newRequestId: () => string, note?: NoteRequest) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const started = performance.now();
    const given = request.headers['x-request-id'];
    const state = stateOf(response);
    state.request_id = typeof given === 'string' && CLIENT_ID.test(given) ? given : newRequestId();
    state.format = 'json';
    response.setHeader('X-Request-Id', state.request_id);
    response.once('close', () => {
      const method = METHODS.has(request.method) ? request.method : 'other';
      note?.({ method, route: state.route ?? 'none', code: String(response.statusCode) }, (performance.now() - started) / 1000);
      const entry = {
        request_id: state.request_id,
        method: request.method,
        route: state.route ?? null,
        status: response.statusCode,
        ms: Math.round((performance.now() - started) * 100) / 100,
        client: request.socket.remoteAddress ?? null,
        ...(response.writableFinished ? {} : { aborted: true }),
      };
      if (request.method === 'GET') logger.debug(entry, 'request');
      else logger.info(entry, 'request');
    });
    next();
  };
}

/** Takes `.json` or `.yml` off the path. */
export function answerForm(request: Request, response: Response, next: NextFunction): void {
  const { url, format } = splitSuffix(request.url);
  if (format === undefined) throw new HotoriError('unknown_path', 'a path may end in .json or .yml, and in no other suffix');
  stateOf(response).format = format;
  request.url = url;
  next();
}

/**
 * Refuses changes that a browser sends for a page of another origin: without authentication, any page an engineer visits could otherwise change the
 * network with a form.
 */
export function sameOrigin(request: Request, _response: Response, next: NextFunction): void {
  const { origin, host } = request.headers;
  if (origin !== undefined && request.method !== 'GET' && request.method !== 'HEAD' && !isSameHost(origin, host))
    throw new HotoriError('cross_origin', `a page of ${origin.slice(0, 256)} may not change things here`);
  next();
}

function isSameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
