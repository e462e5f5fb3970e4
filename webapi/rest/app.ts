/**
 * The express application: endpoints to routes, answers and errors to responses.
 *
 * Promises: whatever is asked, the answer is the endpoint's or a problem document with a request id; an unexpected error is logged once, whole, and
 * shown to nobody.
 */
import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import type { Logger } from 'pino';
import type { Controller } from '../../controller/contract.js';
import type { Metrics } from '../../controller/kernel/metrics.js';
import { HotoriError } from '../../flows/model/errors.js';
import { accessLog, answerForm, sameOrigin, stateOf, type NoteRequest } from './access.js';
import { readBody } from './body.js';
import type { Answer, Call, Endpoint, StreamAnswer } from './endpoint.js';
import { callSignals } from './call-signals.js';
import { BASES, endpointsFor } from './endpoints.js';
import { parseForm } from './form.js';
import { mediaTypeOf, render } from './format.js';
import { ParameterReader } from './params.js';
import { asHotoriError, PROBLEM_MEDIA_TYPE, problemOf } from './problem.js';
import type { WatchLimits } from './watch.js';
import { REVISION_HEADER } from './write.js';

/** Seconds until it is worth asking again. */
const RETRY_AFTER_S = 2;
const BODY_LIMIT = 1024 * 1024;

export interface AppOptions {
  readonly controller: Controller;
  readonly logger: Logger;
  readonly newRequestId: () => string;
  /** What keeps requests from being served, in words; empty when nothing does. */
  readonly missing: () => readonly string[];
  /** What the process measures; without it there is no /metrics. */
  readonly metrics?: Metrics;
  /** Aborts what waits when the server stops. */
  readonly signal: AbortSignal;
  readonly watchLimits?: WatchLimits;
}

const WATCH_LIMITS: WatchLimits = { heartbeatMs: 15_000, stallMs: 30_000, maxClients: 256 };

export function createApp(options: AppOptions): Express {
  const { controller, logger, newRequestId, missing, metrics } = options;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('query parser', false);

  app.get('/livez', (_request, response) => sendPlain(response, 200, 'ok\n'));
  app.get('/readyz', (_request, response) => {
    const lines = missing();
    if (lines.length === 0) sendPlain(response, 200, 'ok\n');
    else sendPlain(response, 503, lines.map((line) => `${line}\n`).join(''));
  });
  if (metrics) app.get('/metrics', async (_request, response) => send(response, 200, metrics.contentType, await metrics.text()));
  app.use(accessLog(logger, newRequestId, metrics && requestDurations(metrics)), answerForm, sameOrigin);
  const router = routerOf(endpointsFor(controller, options.watchLimits ?? WATCH_LIMITS), callSignals(options.signal));
  for (const base of BASES) app.use(base, router);
  app.use((request: Request) => {
    throw new HotoriError('unknown_path', `there is no path ${request.path}; ${BASES[0]}/openapi.json lists them`);
  });
  app.use((thrown: unknown, request: Request, response: Response, next: NextFunction) =>
    answerError(thrown, logger, request, response, next),
  );
  return app;
}

/** @returns what notes how long a request took. */
export function requestDurations(metrics: Metrics): NoteRequest {
  const labels = ['method', 'route', 'code'];
  const name = 'hotori_http_request_duration_seconds';
  return metrics.durations({ name, help: 'Time to answer a request of the API.', labels }, [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10]);
}

function routerOf(endpoints: readonly Endpoint[], signalOf: (response: Response) => AbortSignal): express.Router {
  const router = express.Router({ caseSensitive: true });
  const methods = new Map<string, string[]>();
  for (const endpoint of endpoints) {
    const path = endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1');
    methods.set(path, [...(methods.get(path) ?? []), endpoint.method]);
    const serve = serveEndpoint(endpoint, signalOf);
    if (endpoint.method === 'GET') router.get(path, serve);
    else if (endpoint.method === 'POST') router.post(path, serve);
    else if (endpoint.method === 'PUT') router.put(path, serve);
    else router.delete(path, serve);
  }
  for (const [path, allowed] of methods)
    router.all(path, (request, response) => {
      stateOf(response).route = path;
      response.setHeader('Allow', allowed.join(', '));
      throw new HotoriError('method_not_allowed', `${request.method} is not possible here; possible: ${allowed.join(', ')}`);
    });
  return router;
}

function serveEndpoint(endpoint: Endpoint, signalOf: (response: Response) => AbortSignal): RequestHandler {
  const reader = new ParameterReader(endpoint);
  return async (request, response) => {
    stateOf(response).route = endpoint.path;
    const body = endpoint.method === 'GET' ? undefined : await readBody(request, endpoint.body_limit ?? BODY_LIMIT);
    const mark = request.url.indexOf('?');
    const query = mark < 0 ? undefined : parseForm(request.url.slice(mark), 'the query', 'invalid_argument');
    const parameters = reader.read(query, body);
    const { uuid = '', ...others } = request.params as Record<string, string>;
    const [target = ''] = Object.values(others);
    const answer = await answerOf(endpoint, { ...parameters, uuid, target, headers: request.headers, signal: signalOf(response) });
    if ('stream' in answer && request.method === 'HEAD') response.status(200).end();
    else if ('stream' in answer) answer.stream(response);
    else sendAnswer(response, answer);
  };
}

async function answerOf(endpoint: Endpoint, call: Call): Promise<Answer | StreamAnswer> {
  try {
    return await endpoint.handle(call);
  } catch (error) {
    if (call.signal.aborted && !(error instanceof HotoriError))
      throw new HotoriError('unavailable', 'the server is stopping', { cause: error });
    throw error;
  }
}

function sendAnswer(response: Response, { status = 200, headers = {}, body }: Answer): void {
  const { format } = stateOf(response);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (status === 304) return void response.writeHead(304).end();
  send(response, status, mediaTypeOf(format), render(body, format));
}

function send(response: Response, status: number, mediaType: string, text: string): void {
  response.writeHead(status, {
    'Content-Type': mediaType,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-cache',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(text);
}

function sendPlain(response: Response, status: number, text: string): void {
  send(response, status, 'text/plain; charset=utf-8', text);
}

// Problems are always JSON, which a reader of YAML reads too.
function answerError(thrown: unknown, logger: Logger, request: Request, response: Response, next: NextFunction): void {
  // Whoever sent half a request and left is not there to be told.
  if (request.destroyed && !request.complete) return;
  const error = asHotoriError(thrown);
  const { request_id, route } = stateOf(response);
  if (error.code === 'internal')
    logger.error({ request_id, method: request.method, route: route ?? null, err: error.cause ?? error }, 'request failed');
  if (response.headersSent) return next(thrown);
  if (error.code === 'unavailable') response.setHeader('Retry-After', RETRY_AFTER_S);
  const revision = error.details['revision'];
  if (error.details['committed'] === true) response.setHeader(REVISION_HEADER, String(revision));
  // The rest of a body that was not read would be taken for the next request.
  if (!request.readableEnded && !request.complete) response.setHeader('Connection', 'close');
  const problem = problemOf(error, request_id);
  send(response, problem.status, PROBLEM_MEDIA_TYPE, JSON.stringify(problem));
}
