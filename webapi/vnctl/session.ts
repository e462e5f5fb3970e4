/**
 * What the commands of one run share: the client, the form of the output, and where it goes.
 */
import type { Client, Json } from './client.js';
import type { Io } from './io.js';
import { formatData, formatRecord, formatTable, type OutputFormat } from './output.js';

export class Session {
  readonly io: Io;
  readonly client: Client;
  readonly #format: OutputFormat;

  constructor(io: Io, client: Client, format: OutputFormat) {
    this.io = io;
    this.client = client;
    this.#format = format;
  }

  /** Whether output is for people. */
  get isTable(): boolean {
    return this.#format === 'table';
  }

  /** @param table text for people; by default a table of `data`, an entity or a list of them. */
  readonly print = (data: unknown, table?: () => string): void => {
    if (this.#format !== 'table') this.io.out(formatData(data, this.#format));
    else if (table !== undefined) this.io.out(table());
    else this.io.out(Array.isArray(data) ? formatTable(data as Json[]) : formatRecord(data as Json));
  };
}
