/**
 * A bridge of a real switch, spoken to over its management socket with nothing but the codec.
 */
import { connect, type Socket } from 'node:net';
import { decodeMessage, encodeMessage } from '../../flows/openflow/codec.js';
import type { Message, MultipartReplyMessage } from '../../flows/openflow/message.js';
import type { MultipartReplyBody, MultipartRequestBody } from '../../flows/openflow/multipart.js';
import { Writer } from '../../flows/openflow/writer.js';

export interface Reply {
  readonly xid: number;
  readonly message: Message;
}

export class BridgeClient {
  readonly #socket: Socket;
  readonly #writer = new Writer();
  #buffer: Buffer = Buffer.alloc(0);
  #replies: Reply[] = [];
  #wake: (() => void) | undefined;
  #xid = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  static async connect(path: string): Promise<BridgeClient> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const client = new BridgeClient(socket);
    client.send({ kind: 'hello', version: 4, elements: [{ kind: 'version_bitmap', bitmaps: [1 << 4] }] });
    return client;
  }

  /** Returns the xid. */
  send(message: Message): number {
    const xid = this.#xid++;
    encodeMessage(this.#writer, message, xid);
    this.#socket.write(this.#writer.take());
    return xid;
  }

  /** Sends a barrier and returns everything that arrived up to its reply. */
  async barrier(): Promise<Reply[]> {
    const xid = this.send({ kind: 'barrier_request' });
    while (!this.#replies.some((reply) => reply.xid === xid && reply.message.kind === 'barrier_reply')) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const replies = this.#replies;
    this.#replies = [];
    return replies;
  }

  /** All parts of the answer. */
  async ask(body: MultipartRequestBody): Promise<MultipartReplyBody[]> {
    const xid = this.send({ kind: 'multipart_request', flags: 0, body });
    const replies = await this.barrier();
    return replies
      .filter(
        (reply): reply is { xid: number; message: MultipartReplyMessage } => reply.xid === xid && reply.message.kind === 'multipart_reply',
      )
      .map((reply) => reply.message.body);
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    let o = 0;
    while (this.#buffer.length - o >= 8) {
      const length = this.#buffer.readUInt16BE(o + 2);
      if (this.#buffer.length - o < length) break;
      // The switch's greeting carries its own version.
      this.#replies.push(decodeMessage(this.#buffer, o, o + length));
      o += length;
    }
    this.#buffer = this.#buffer.subarray(o);
    this.#wake?.();
  }
}
