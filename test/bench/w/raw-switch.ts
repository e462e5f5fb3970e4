/**
 * One connection to a switch with nothing of ours but the encoder: what the switch alone takes.
 *
 * Assumes: nobody else writes flows meanwhile.
 * Promises: a bundle goes out in one write and is over when the barrier behind its COMMIT is answered; what the switch refuses rejects.
 */
import net from 'node:net';
import { Framer } from '../../../datapath/channel/framer.js';
import { decodeMessage, encodeMessage } from '../../../flows/openflow/codec.js';
import { TABLE_ALL } from '../../../flows/openflow/constants.js';
import type { Flow } from '../../../flows/openflow/flow.js';
import type { BundleControlType, Message } from '../../../flows/openflow/message.js';
import { Writer } from '../../../flows/openflow/writer.js';

const ATOMIC_ORDERED = 3;
const MORE = 1;
/** Of the messages whose answer is waited for; all others have 1. */
const FIRST_XID = 2;

export class RawSwitch {
  readonly #socket: net.Socket;
  #waiting: { readonly take: (message: Message) => boolean; readonly fail: (error: Error) => void } | undefined;
  #bundles = 0;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    const framer = new Framer((bytes, start, end) => {
      const { message, xid } = decodeMessage(bytes, start, end);
      if (message.kind === 'error') this.#waiting?.fail(new Error(`the switch answered ${message.type}.${message.code}`));
      else if (message.kind === 'echo_request') this.#socket.write(encoded([{ message: { kind: 'echo_reply', data: message.data }, xid }]));
      else if (xid === FIRST_XID && this.#waiting?.take(message) === true) this.#waiting = undefined;
    });
    socket.on('data', (chunk) => framer.push(chunk));
    socket.on('error', (error) => this.#waiting?.fail(error));
  }

  static async connect(socketPath: string): Promise<RawSwitch> {
    const one = new RawSwitch(net.connect(socketPath));
    const hello: Message = { kind: 'hello', version: 4, elements: [{ kind: 'version_bitmap', bitmaps: [0x10] }] };
    await one.#ask(
      encoded([
        { message: hello, xid: 1 },
        { message: { kind: 'features_request' }, xid: FIRST_XID },
      ]),
    );
    return one;
  }

  /** All flows there are. */
  async flows(): Promise<Flow[]> {
    const flows: Flow[] = [];
    const filter = { table: TABLE_ALL, cookie: 0n, cookie_mask: 0n, match: [] };
    const request: Message = { kind: 'multipart_request', flags: 0, body: { kind: 'flow', ...filter } };
    await this.#ask(encoded([{ message: request, xid: FIRST_XID }]), (message) => {
      if (message.kind !== 'multipart_reply' || message.body.kind !== 'flow') throw new Error(`a ${message.kind} instead of flows`);
      flows.push(...message.body.flows);
      return (message.flags & MORE) === 0;
    });
    return flows;
  }

  /** The bytes of a bundle that adds these flows, for `send`. */
  bundle(flows: readonly Flow[]): Uint8Array {
    const bundle_id = ++this.#bundles;
    const control = (type: BundleControlType): { message: Message; xid: number } => ({
      message: { kind: 'bundle_control', bundle_id, type, flags: ATOMIC_ORDERED },
      xid: 1,
    });
    const adds = flows.map((flow) => {
      const message: Message = { kind: 'flow_mod', command: 'add', flow };
      return { message: { kind: 'bundle_add', bundle_id, flags: ATOMIC_ORDERED, message } as const, xid: 1 };
    });
    const barrier = { message: { kind: 'barrier_request' } as const, xid: FIRST_XID };
    return encoded([control('open_request'), ...adds, control('commit_request'), barrier]);
  }

  /** Writes a bundle; resolves when the switch has carried it out. */
  send(bundle: Uint8Array): Promise<void> {
    return this.#ask(bundle);
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(bytes: Uint8Array, take: (message: Message) => boolean = () => true): Promise<void> {
    return new Promise((resolve, reject) => {
      const taken = (message: Message): boolean => {
        const isLast = take(message);
        if (isLast) resolve();
        return isLast;
      };
      this.#waiting = { take: taken, fail: reject };
      this.#socket.write(bytes);
    });
  }
}

function encoded(messages: readonly { readonly message: Message; readonly xid: number }[]): Uint8Array {
  const writer = new Writer();
  for (const { message, xid } of messages) encodeMessage(writer, message, xid);
  return writer.take();
}
