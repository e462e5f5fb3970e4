/**
 * A raw OVSDB client, so that no command's start-up is measured.
 *
 * Promises: a transaction one of whose operations fails rejects with the reason; updates of a monitor are delivered in order.
 */
import { DEFAULT_RPC_LIMITS, RpcSession } from '../../../datapath/ovsdb/rpc-session.js';

export type OvsdbOperation = Readonly<Record<string, unknown>>;
export type OvsdbRow = Readonly<Record<string, unknown>>;

export interface OvsdbResult {
  readonly rows?: readonly OvsdbRow[];
  readonly uuid?: unknown;
}

export type OvsdbUpdate = Readonly<Record<string, Readonly<Record<string, { readonly old?: OvsdbRow; readonly new?: OvsdbRow }>>>>;

const LIMITS = {
  ...DEFAULT_RPC_LIMITS,
  requestTimeoutMs: 600_000,
  probeIntervalMs: 600_000,
  maxSendBytes: 2 ** 30,
  maxMessageBytes: 2 ** 30,
};

export class Ovsdb {
  readonly #session: RpcSession;
  readonly #database: string;
  readonly #sinks: ((update: OvsdbUpdate) => void)[];

  private constructor(session: RpcSession, database: string, sinks: ((update: OvsdbUpdate) => void)[]) {
    this.#session = session;
    this.#database = database;
    this.#sinks = sinks;
  }

  static async connect(socket: string, database: string): Promise<Ovsdb> {
    const sinks: ((update: OvsdbUpdate) => void)[] = [];
    const onNotification = (method: string, params: readonly unknown[]): void => {
      if (method === 'update') sinks[params[0] as number]?.(params[1] as OvsdbUpdate);
    };
    const handlers = { onNotification, onBatchEnd: () => undefined };
    const session = await RpcSession.connect({ kind: 'unix', path: socket }, LIMITS, handlers, new AbortController().signal);
    return new Ovsdb(session, database, sinks);
  }

  async transact(operations: readonly OvsdbOperation[]): Promise<readonly OvsdbResult[]> {
    const results = (await this.#session.request('transact', [this.#database, ...operations])) as readonly (OvsdbResult | null)[];
    const failed = results.find((result) => result !== null && 'error' in result);
    if (failed !== undefined) throw new Error(`OVSDB: ${JSON.stringify(failed)}`);
    return results as readonly OvsdbResult[];
  }

  /** The rows of a table where one column has one value, or all. */
  async select(table: string, columns: readonly string[], where: readonly unknown[] = []): Promise<readonly OvsdbRow[]> {
    const [result] = await this.transact([{ op: 'select', table, where, columns }]);
    return result?.rows ?? [];
  }

  async monitor(table: string, columns: readonly string[], sink: (update: OvsdbUpdate) => void): Promise<void> {
    const id = this.#sinks.push(sink) - 1;
    sink((await this.#session.request('monitor', [this.#database, id, { [table]: { columns } }])) as OvsdbUpdate);
  }

  close(): void {
    this.#session.close();
  }
}

export function ovsdbMap(entries: Readonly<Record<string, string>>): unknown {
  return ['map', Object.entries(entries)];
}

export function ovsdbSet(values: readonly unknown[]): unknown {
  return ['set', values];
}

export function namedUuid(name: string): unknown {
  return ['named-uuid', name];
}

/** Of a map column, one value. */
export function valueIn(column: unknown, key: string): string | undefined {
  const [kind, entries] = column as [string, [string, string][]];
  return kind === 'map' ? entries.find(([name]) => name === key)?.[1] : undefined;
}
