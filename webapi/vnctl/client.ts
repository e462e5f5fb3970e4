/**
 * The REST API as vnctl calls it.
 *
 * Owns: the server's address, timeouts, turning problem documents into lines for people.
 * Promises: everything that is not a good answer is a CliError; a wait that timed out has its own exit code.
 */
import { request } from 'undici';
import type { Plan } from '../../controller/messages/plan.js';
import type { Problem } from '../rest/problem.js';
import { CliError, EXIT, usageError } from './io.js';

export const DEFAULT_SERVER = 'http://127.0.0.1:9090';
const BASE = '/api/1.0';
/** Milliseconds for an answer beyond the wait that was asked for. */
const PATIENCE_MS = 60_000;

export type Json = Record<string, unknown>;

export interface WaitOptions {
  readonly wait: boolean;
  /** Seconds; the server's default when absent. */
  readonly timeout: number | undefined;
  /** Takes what a change would do, which is then not made. */
  readonly plan?: ((plan: Plan) => never) | undefined;
}

export interface CallOptions {
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as a form: the server converts by its schema. */
  readonly form?: Readonly<Record<string, string>>;
  readonly json?: unknown;
}

export class Client {
  readonly #origin: string;
  readonly #wait: WaitOptions;

  constructor(server: string, wait: WaitOptions) {
    this.#origin = originOf(server);
    this.#wait = wait;
  }

  async get(path: string, query: Readonly<Record<string, string>> = {}): Promise<Json> {
    return (await this.#call('GET', path, { query })) as Json;
  }

  /** A change; waits for it to be installed if the user asked for that. */
  async change(method: 'POST' | 'PUT' | 'DELETE', path: string, options: CallOptions = {}): Promise<unknown> {
    const { wait, timeout, plan } = this.#wait;
    if (plan) return plan((await this.#call(method, path, { ...options, query: { ...options.query, dry_run: 'true' } })) as Plan);
    const waiting: Record<string, string> = wait
      ? { wait: 'installed', ...(timeout === undefined ? {} : { timeout: String(timeout) }) }
      : {};
    return this.#call(method, path, { ...options, query: { ...options.query, ...waiting } });
  }

  /** What changes nothing in the model: there is nothing to wait for. */
  async act(path: string, json?: unknown): Promise<Json> {
    return (await this.#call('POST', path, json === undefined ? {} : { json })) as Json;
  }

  /** Every entity of a collection. */
  async all(collection: string): Promise<Json[]> {
    const items: Json[] = [];
    for (;;) {
      const page = await this.get(`/${collection}`, { limit: '1000', offset: String(items.length) });
      const found = page['items'] as Json[];
      items.push(...found);
      if (found.length === 0 || items.length >= (page['total_count'] as number)) return items;
    }
  }

  async #call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, { query = {}, form, json }: CallOptions): Promise<unknown> {
    const search = new URLSearchParams(query).toString();
    const body = form === undefined ? (json === undefined ? null : JSON.stringify(json)) : new URLSearchParams(form).toString();
    const contentType = form === undefined ? 'application/json' : 'application/x-www-form-urlencoded';
    const patience = PATIENCE_MS + (this.#wait.timeout ?? 0) * 1000;
    let status: number;
    let text: string;
    try {
      const response = await request(`${this.#origin}${BASE}${path}${search === '' ? '' : `?${search}`}`, {
        method,
        body,
        headers: body === null ? {} : { 'content-type': contentType },
        headersTimeout: patience,
        bodyTimeout: patience,
      });
      status = response.statusCode;
      text = await response.body.text();
    } catch (error) {
      throw new CliError(EXIT.error, [`cannot reach ${this.#origin}: ${reasonOf(error)}`]);
    }
    const answer = parse(text);
    if (status < 300 && answer !== undefined) return answer;
    if (isProblem(answer)) throw new ProblemError(answer);
    throw new CliError(EXIT.error, [`${this.#origin} does not answer as Hotori does (status ${status}); is it the right server?`]);
  }
}

/** A refusal of the server. */
export class ProblemError extends CliError {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(
      problem.type === 'urn:hotori:error:wait_timeout' ? EXIT.wait_timeout : EXIT.error,
      problem.errors.length === 0 ? [problem.detail] : problem.errors.map(({ pointer, detail }) => labelled(pointer, detail)),
    );
    this.problem = problem;
  }
}

/** `/rules/0/ports` → `rules.0.ports: detail`. */
function labelled(pointer: string, detail: string): string {
  const field = pointer.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~');
  return field === '' ? detail : `${field}: ${detail}`;
}

function originOf(server: string): string {
  const text = server.includes('://') ? server : `http://${server}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw usageError(`--server: must be HOST:PORT or a URL, not ${server}`);
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'nothing listens there; is hotori running? (--server or HOTORI_SERVER names another one)';
  if (code === 'ENOTFOUND') return 'there is no such host';
  return message;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isProblem(answer: unknown): answer is Problem {
  return answer !== null && typeof answer === 'object' && 'detail' in answer && 'errors' in answer && Array.isArray(answer.errors);
}
