/**
 * The least of an OpenFlow controller: puts tables into a bridge and reads them back.
 *
 * Owns: one connection to a bridge's management socket (`BRIDGE.mgmt`), beside whatever controller the bridge has.
 * Promises: `install` resolves when the switch has everything; the first refusal is thrown with the message refused.
 */
import net from 'node:net';
import { Framer } from '../../datapath/channel/framer.js';
import type { Tables } from '../../flows/compile/contract.js';
import { flowKey } from '../../flows/openflow/canonical.js';
import { decodeMessage, encodeMessage } from '../../flows/openflow/codec.js';
import { GROUPS, MULTIPART_MORE, PORTS, TABLE_ALL } from '../../flows/openflow/constants.js';
import type { Message } from '../../flows/openflow/message.js';
import type { MultipartReplyBody, MultipartRequestBody } from '../../flows/openflow/multipart.js';
import { Writer } from '../../flows/openflow/writer.js';

interface Exchange {
  readonly parts: MultipartReplyBody[];
  readonly resolve: (parts: MultipartReplyBody[]) => void;
  readonly reject: (error: Error) => void;
}

export class OpenflowClient {
  readonly #socket: net.Socket;
  readonly #writer = new Writer();
  readonly #exchanges = new Map<number, Exchange>();
  readonly #sent = new Map<number, Message>();
  #refused: Error | undefined;
  #xid = 1;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    const framer = new Framer((bytes, start, end) => this.#receive(bytes, start, end));
    socket.on('data', (chunk) => framer.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const { reject } of this.#exchanges.values()) reject(new Error('the switch closed the connection'));
      this.#exchanges.clear();
    });
  }

  static async connect(path: string): Promise<OpenflowClient> {
    const socket = net.createConnection(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const client = new OpenflowClient(socket);
    client.#send({ kind: 'hello', version: 4, elements: [] });
    return client;
  }

  /** Empties the bridge and fills it with these tables. */
  async install(tables: Tables): Promise<void> {
    this.#refused = undefined;
    const nothing = { table: TABLE_ALL, priority: 0, match: [], instructions: [], cookie: 0n };
    this.#send({ kind: 'flow_mod', command: 'delete', flow: nothing, out_port: PORTS.ANY, out_group: GROUPS.ANY });
    this.#send({ kind: 'group_mod', command: 'delete', group: { group_id: GROUPS.ALL, type: 'all', buckets: [] } });
    for (const meter of tables.meters.values()) this.#send({ kind: 'meter_mod', command: 'delete', meter });
    for (const meter of tables.meters.values()) this.#send({ kind: 'meter_mod', command: 'add', meter });
    for (const group of tables.groups.values()) this.#send({ kind: 'group_mod', command: 'add', group });
    for (const flow of tables.flows.values()) this.#send({ kind: 'flow_mod', command: 'add', flow });
    await this.#exchange({ kind: 'barrier_request' });
    this.#throwRefusal();
  }

  /** What the bridge holds: flows with their cookies, and groups. */
  async dump(): Promise<Tables> {
    const flows = await this.#multipart({ kind: 'flow', table: TABLE_ALL, match: [] });
    const groups = await this.#multipart({ kind: 'group_desc' });
    return {
      flows: new Map(flows.flatMap((part) => (part.kind === 'flow' ? part.flows.map((flow) => [flowKey(flow), flow] as const) : []))),
      groups: new Map(
        groups.flatMap((part) => (part.kind === 'group_desc' ? part.groups.map((group) => [group.group_id, group] as const) : [])),
      ),
      meters: new Map(),
    };
  }

  close(): void {
    this.#socket.destroy();
  }

  #throwRefusal(): void {
    if (this.#refused !== undefined) throw this.#refused;
  }

  #multipart(body: MultipartRequestBody): Promise<MultipartReplyBody[]> {
    return this.#exchange({ kind: 'multipart_request', flags: 0, body });
  }

  #exchange(message: Message): Promise<MultipartReplyBody[]> {
    return new Promise((resolve, reject) => {
      const xid = this.#send(message);
      this.#exchanges.set(xid, { parts: [], resolve, reject });
    });
  }

  #send(message: Message): number {
    const xid = this.#xid++;
    encodeMessage(this.#writer, message, xid);
    this.#socket.write(this.#writer.take());
    this.#sent.set(xid, message);
    return xid;
  }

  #receive(bytes: Uint8Array, start: number, end: number): void {
    const { xid, message } = decodeMessage(bytes, start, end);
    const exchange = this.#exchanges.get(xid);
    switch (message.kind) {
      case 'echo_request':
        encodeMessage(this.#writer, { kind: 'echo_reply', data: message.data }, xid);
        this.#socket.write(this.#writer.take());
        break;
      case 'error': {
        const text = JSON.stringify(this.#sent.get(xid), (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
        this.#refused ??= new Error(`error ${message.type}.${message.code} for ${text}`);
        exchange?.reject(this.#refused);
        break;
      }
      case 'barrier_reply':
        this.#sent.clear();
        exchange?.resolve([]);
        this.#exchanges.delete(xid);
        break;
      case 'multipart_reply':
        exchange?.parts.push(message.body);
        if ((message.flags & MULTIPART_MORE) === 0) {
          exchange?.resolve(exchange.parts);
          this.#exchanges.delete(xid);
        }
        break;
      default:
        break;
    }
  }
}
