/**
 * `push_100k`: 100,000 flows into a real Open vSwitch in one bundle, through the channel, against writing the same bytes encoded beforehand.
 *
 * Both sides open a bundle, send the same members, wait for a barrier, commit and wait for the reply. They take turns, who goes first too; the figure is
 * the median of the ratios of the pairs. Between runs the flows are deleted, outside the clock.
 */
import net from 'node:net';
import { connectChannel } from '../../../datapath/channel/connect.js';
import type { TableMod } from '../../../datapath/channel/contract.js';
import { Framer } from '../../../datapath/channel/framer.js';
import { decodeMessage, encodeMessage } from '../../../flows/openflow/codec.js';
import type { Flow } from '../../../flows/openflow/flow.js';
import type { BundleControlType, Message } from '../../../flows/openflow/message.js';
import { Writer } from '../../../flows/openflow/writer.js';
import { Lab } from '../../lab/lab.js';
import { percentile, type BenchResult } from '../result.js';
import { mixedFlows } from './flows.js';

const FLOWS = 100_000;
const PAIRS = 11;
const BRIDGE = 'br0';
const BUNDLE = 1;
const ATOMIC_ORDERED = 3;
/** Xids of the members start here; those below belong to the control messages. */
const FIRST_MEMBER = 1_000;

export async function* benchPush(): AsyncGenerator<BenchResult> {
  const lab = await Lab.create();
  try {
    const ovs = await lab.addDummySwitch();
    await ovs.addBridge(BRIDGE);
    const socketPath = ovs.openflowSocket(BRIDGE);
    const flows = mixedFlows(FLOWS);
    const mods = flows.map((flow): TableMod => ({ kind: 'flow_add', flow }));
    const bytes = encodeMembers(flows);
    const ours = () => throughChannel(socketPath, mods);
    const raw = () => rawly(socketPath, bytes);
    const clear = () => ovs.ofctl(['del-flows', BRIDGE]);

    const [oursTook, rawTook, ratios]: [number[], number[], number[]] = [[], [], []];
    // The first pair warms up the switch's memory and our code.
    for (let pair = -1; pair < PAIRS; pair++) {
      const took: [number, number] = [0, 0];
      for (const side of pair % 2 === 0 ? [0, 1] : [1, 0]) {
        took[side] = await (side === 0 ? ours : raw)();
        await clear();
      }
      if (pair < 0) continue;
      oursTook.push(took[0]);
      rawTook.push(took[1]);
      ratios.push(took[0] / took[1]);
    }
    const common = { bench: 'channel', case: 'push_100k', n: PAIRS };
    const median = percentile(ratios, 0.5);
    yield {
      ...common,
      metric: 'ratio_to_raw',
      value: median,
      unit: 'ratio',
      p50: median,
      p99: percentile(ratios, 0.99),
      note: spread(ratios),
    };
    const [rate, rawRate] = [FLOWS / percentile(oursTook, 0.5), FLOWS / percentile(rawTook, 0.5)].map((perMs) => perMs * 1_000) as [
      number,
      number,
    ];
    yield { ...common, metric: 'rate', value: rate, unit: 'flows/s', peer: { name: 'raw bytes', value: rawRate }, ratio: rate / rawRate };
  } finally {
    await lab.destroy();
  }
}

function spread(values: readonly number[]): string {
  return `pairs from ${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`;
}

/** Milliseconds from before the bundle is opened until it is committed. */
async function throughChannel(socketPath: string, mods: readonly TableMod[]): Promise<number> {
  const channel = await connectChannel(`unix:${socketPath}`);
  const start = performance.now();
  await channel.bundle(mods);
  const took = performance.now() - start;
  channel.close();
  await channel.closed;
  return took;
}

/** The same, with the members written in one go by nothing but a socket. */
async function rawly(socketPath: string, members: Uint8Array): Promise<number> {
  const socket = net.connect(socketPath);
  const waiting = new Map<number, () => void>();
  const framer = new Framer((bytes, start, end) => {
    const { message, xid } = decodeMessage(bytes, start, end);
    if (message.kind === 'error') throw new Error(`the switch answered ${message.type}.${message.code}`);
    waiting.get(xid)?.();
  });
  socket.on('data', (chunk) => framer.push(chunk));
  const ask = (message: Message, xid: number) =>
    new Promise<void>((resolve) => {
      waiting.set(xid, resolve);
      socket.write(encode(message, xid));
    });
  const control = (type: BundleControlType): Message => ({ kind: 'bundle_control', bundle_id: BUNDLE, type, flags: ATOMIC_ORDERED });
  socket.write(encode({ kind: 'hello', version: 4, elements: [{ kind: 'version_bitmap', bitmaps: [0x10] }] }, 1));
  await ask({ kind: 'features_request' }, 2);
  const start = performance.now();
  await ask(control('open_request'), 3);
  socket.write(members);
  await ask({ kind: 'barrier_request' }, 4);
  await ask(control('commit_request'), 5);
  const took = performance.now() - start;
  socket.destroy();
  return took;
}

function encode(message: Message, xid: number): Uint8Array {
  const writer = new Writer();
  encodeMessage(writer, message, xid);
  return writer.take();
}

function encodeMembers(flows: readonly Flow[]): Uint8Array {
  const writer = new Writer();
  for (const [n, flow] of flows.entries()) {
    const message: Message = { kind: 'flow_mod', command: 'add', flow };
    encodeMessage(writer, { kind: 'bundle_add', bundle_id: BUNDLE, flags: ATOMIC_ORDERED, message }, FIRST_MEMBER + n);
  }
  return writer.take();
}
