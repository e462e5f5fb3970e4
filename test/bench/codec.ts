/**
 * `npm run bench -- codec`: encode and decode rates of the OpenFlow codec, one core.
 *
 * Messages are built once; every encode writes the whole message, every decode checks and decodes all of it. All cases run before any is measured,
 * so that no case profits from code that was compiled for it alone. A figure is the median of several runs. Time is processor time of the whole
 * process, garbage collection and compilation included: what one core does, whatever else the machine is doing.
 */
import path from 'node:path';
import { decodeMessage, encodeMessage } from '../../flows/openflow/codec.js';
import { PORTS } from '../../flows/openflow/constants.js';
import type { FlowModMessage, Message, PacketInMessage } from '../../flows/openflow/message.js';
import { Writer } from '../../flows/openflow/writer.js';
import { tryRun } from '../lab/run.js';
import type { BenchResult } from './result.js';

const RUNS = 9;
const RUN_MS = 150;
/** As many messages as a socket chunk of 64 KiB holds, more or less. */
const BATCH = 512;

interface Case {
  readonly name: string;
  readonly messages: readonly Message[];
  /** Does the work once and returns how many operations that was. */
  readonly run: () => number;
}

/** 168 bytes: six fields, two set_field, an output, a goto. */
function typicalFlowMod(n: number): FlowModMessage {
  return {
    kind: 'flow_mod',
    command: 'add',
    flow: {
      table: 48,
      priority: 1000 + (n & 0xff),
      match: [
        { field: 'in_port', value: 1 + (n & 63) },
        { field: 'eth_dst', value: 0x0a0000000000 + n },
        { field: 'eth_type', value: 0x0800 },
        { field: 'ip_dst', value: 0x0a000000 + n, mask: 0xffffff00 },
        { field: 'nw_proto', value: 6 },
        { field: 'tcp_dst', value: n & 0xffff },
      ],
      instructions: [
        {
          kind: 'apply_actions',
          actions: [
            { kind: 'set_field', field: 'eth_src', value: 0x020000000000 + n },
            { kind: 'set_field', field: 'reg1', value: n },
            { kind: 'output', port: 1 + (n & 63) },
          ],
        },
        { kind: 'goto_table', table: 52 },
      ],
      cookie: 0x4801_0000_0000_0000n + BigInt(n),
    },
  };
}

/** A conntrack commit with mark and NAT. */
function conntrackFlowMod(n: number): FlowModMessage {
  return {
    kind: 'flow_mod',
    command: 'add',
    flow: {
      table: 32,
      priority: 100,
      match: [
        { field: 'ct_state', value: 0x21, mask: 0x21 },
        { field: 'eth_type', value: 0x0800 },
        { field: 'reg1', value: n },
        { field: 'metadata', value: BigInt(n), mask: 0xffff_ffffn },
      ],
      instructions: [
        {
          kind: 'apply_actions',
          actions: [
            { kind: 'set_field', field: 'reg4', value: n & 0xff, mask: 0xff },
            {
              kind: 'ct',
              commit: true,
              zone: { field: 'reg6', offset: 0, bits: 16 },
              table: 36,
              exec: [
                { kind: 'set_field', field: 'ct_mark', value: n },
                { kind: 'nat', direction: 'src', ipv4_min: 0x0a000001 + n },
              ],
            },
          ],
        },
      ],
      cookie: 0x4801_0000_0000_0000n + BigInt(n),
    },
  };
}

/** Two clauses of conjunctions. */
function conjunctionFlowMod(n: number): FlowModMessage {
  return {
    kind: 'flow_mod',
    command: 'add',
    flow: {
      table: 84,
      priority: 200,
      match: [
        { field: 'eth_type', value: 0x0800 },
        { field: 'ip_src', value: 0x0a000000 + n, mask: 0xffffff00 },
        { field: 'reg2', value: n },
      ],
      instructions: [
        {
          kind: 'apply_actions',
          actions: [
            { kind: 'conjunction', id: n, clause: 0, n_clauses: 2 },
            { kind: 'conjunction', id: n + 1, clause: 1, n_clauses: 3 },
          ],
        },
      ],
      cookie: 0x4801_0000_0000_0000n + BigInt(n),
    },
  };
}

/** 84 bytes: in_port and a minimal frame. */
function smallPacketIn(n: number): PacketInMessage {
  const data = new Uint8Array(42).fill(n);
  return {
    kind: 'packet_in',
    buffer_id: 0xffffffff,
    total_len: 42,
    reason: 1,
    table: 0,
    cookie: BigInt(n),
    match: [{ field: 'in_port', value: n }],
    data,
  };
}

/** 172 bytes: ten fields. */
function largePacketIn(n: number): PacketInMessage {
  return {
    ...smallPacketIn(n),
    match: [
      { field: 'in_port', value: n },
      { field: 'tun_id', value: BigInt(n) },
      { field: 'tun_src', value: 0x0a000001 },
      { field: 'tun_dst', value: 0x0a000002 },
      { field: 'metadata', value: 0x1_0000_0000n + BigInt(n) },
      ...([0, 1, 2, 5, 15] as const).map((reg) => ({ field: `reg${reg}` as const, value: n * reg })),
    ],
  };
}

function flowStats(): Message {
  const flows = Array.from({ length: 380 }, (_, n) => {
    const { flow } = typicalFlowMod(n);
    return {
      ...flow,
      idle_timeout: 0,
      hard_timeout: 0,
      flags: 0,
      duration_sec: n,
      duration_nsec: n,
      packet_count: BigInt(n),
      byte_count: BigInt(n * 64),
    };
  });
  return { kind: 'multipart_reply', flags: 1, body: { kind: 'flow', flows } };
}

function encodeCase(name: string, messages: readonly Message[]): Case {
  const writer = new Writer();
  return {
    name,
    messages,
    run: () => {
      for (let i = 0; i < messages.length; i++) {
        encodeMessage(writer, messages[i]!, i);
        // A channel hands over what it has about every 64 KiB.
        if (writer.pending > 65_536) writer.take();
      }
      writer.take();
      return messages.length;
    },
  };
}

function decodeCase(name: string, messages: readonly Message[], count: (message: Message) => number = () => 1): Case {
  const writer = new Writer();
  const bounds = [0];
  for (const message of messages) {
    encodeMessage(writer, message, 0);
    bounds.push(writer.pending);
  }
  const chunk = Buffer.from(writer.take());
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return {
    name,
    messages,
    run: () => {
      let done = 0;
      for (let i = 1; i < bounds.length; i++) {
        const decoded = decodeMessage(chunk, bounds[i - 1]!, bounds[i]!, view);
        done += count(decoded.message);
      }
      return done;
    },
  };
}

function cases(): Case[] {
  const many = <T>(make: (n: number) => T): T[] => Array.from({ length: BATCH }, (_, n) => make(n));
  const mixed = many((n) => (n % 2 === 0 ? conntrackFlowMod(n) : conjunctionFlowMod(n)));
  const entries = (message: Message) =>
    message.kind === 'multipart_reply' && message.body.kind === 'flow' ? message.body.flows.length : 0;
  return [
    encodeCase('flow_mod_encode', many(typicalFlowMod)),
    encodeCase('flow_mod_ct_conj_encode', mixed),
    decodeCase('packet_in_decode', many(smallPacketIn)),
    decodeCase('packet_in_10oxm_decode', many(largePacketIn)),
    decodeCase('flow_stats_decode', [flowStats()], entries),
    encodeCase(
      'packet_out_encode',
      many((n) => ({ kind: 'packet_out', in_port: PORTS.CONTROLLER, actions: [{ kind: 'output', port: n }], data: new Uint8Array(60) })),
    ),
    decodeCase('flow_mod_decode', [...many(typicalFlowMod), ...mixed]),
  ];
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Operations per second of processor time, over at least `ms`. */
function rate(run: () => number, ms: number): number {
  const start = cpuMs();
  let done = 0;
  let elapsed = 0;
  while (elapsed < ms) {
    for (let i = 0; i < 16; i++) done += run();
    elapsed = cpuMs() - start;
  }
  return (1000 * done) / elapsed;
}

/** os-ken over the same bytes: rates by case; undefined where it is not installed. */
async function osKen(selected: readonly Case[]): Promise<Readonly<Record<string, number>> | undefined> {
  const writer = new Writer();
  const input = selected.map(({ name, messages }) => {
    const hex = messages.slice(0, 64).map((message) => {
      encodeMessage(writer, message, 1);
      return Buffer.from(writer.take()).toString('hex');
    });
    return [name, hex] as const;
  });
  const script = path.join(process.cwd(), 'test/bench/codec-osken.py');
  const { code, stdout } = await tryRun(['/usr/bin/python3', script], {
    input: JSON.stringify(Object.fromEntries(input)),
    timeoutMs: 60_000,
  });
  return code === 0 ? (JSON.parse(stdout) as Record<string, number>) : undefined;
}

/** @param args names of cases; none is all. */
export async function* benchCodec(args: readonly string[]): AsyncIterable<BenchResult> {
  const all = cases();
  const selected = all.filter(({ name }) => args.length === 0 || args.includes(name));
  const peers = await osKen(selected);
  for (let round = 0; round < 3; round++) for (const { run } of all) rate(run, RUN_MS);
  for (const { name, run } of selected) {
    const rates = Array.from({ length: RUNS }, () => rate(run, RUN_MS)).sort((a, b) => a - b);
    const value = rates[RUNS >> 1]!;
    const peer = peers?.[name];
    yield {
      bench: 'codec',
      case: name,
      metric: 'rate',
      value,
      unit: 'ops/s',
      n: RUNS,
      p50: value,
      p99: rates[0]!,
      ...(peer === undefined
        ? { note: peers === undefined ? 'os-ken is not installed' : 'os-ken cannot read this message' }
        : { peer: { name: 'os-ken', value: peer }, ratio: value / peer }),
    };
  }
}
