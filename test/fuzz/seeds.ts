/**
 * What fuzzing starts from: the corpus, and random flows, groups and meters in every message that carries them.
 */
import { encodeMessage } from '../../flows/openflow/codec.js';
import type { Message } from '../../flows/openflow/message.js';
import { Writer } from '../../flows/openflow/writer.js';
import { bytesOf, rows } from '../codec/corpus.js';
import { Random } from '../codec/random.js';
import { randomFlow, randomGroup, randomMatch, randomMeter } from '../codec/random-values.js';

const GENERATED = 300;
/** Longer seeds make fuzzing slow and are the same over and over. */
const MAX_SEED = 2048;

function generated(): Message[] {
  const random = new Random(17);
  const messages: Message[] = [];
  for (let n = 0; n < GENERATED; n++) {
    const flow = randomFlow(random, random.below(200), n, { groups: true });
    const group = randomGroup(random, n);
    const meter = randomMeter(random, n, true);
    const match = randomMatch(random);
    const mod: Message = { kind: 'flow_mod', command: random.pick(['add', 'modify', 'delete_strict'] as const), flow };
    const counters = { duration_sec: n, duration_nsec: n, packet_count: BigInt(n), byte_count: BigInt(n) };
    const stats = { ...flow, idle_timeout: 1, hard_timeout: 2, flags: 3, ...counters };
    messages.push(
      mod,
      { kind: 'bundle_add', bundle_id: n, flags: 3, message: mod },
      { kind: 'group_mod', command: 'add', group },
      { kind: 'meter_mod', command: 'add', meter },
      { kind: 'multipart_reply', flags: 1, body: { kind: 'flow', flows: [stats, stats] } },
      { kind: 'multipart_reply', flags: 0, body: { kind: 'group_desc', groups: [group, group] } },
      { kind: 'multipart_reply', flags: 0, body: { kind: 'meter_config', meters: [meter, meter] } },
      { kind: 'packet_in', buffer_id: n, total_len: 60, reason: 1, table: 3, cookie: 5n, match, data: random.bytes(60) },
      { kind: 'packet_in2', packet: random.bytes(60), table: 3, cookie: 5n, reason: 1, metadata: match, userdata: random.bytes(8) },
      {
        kind: 'packet_out',
        in_port: 1,
        actions: flow.instructions.flatMap((i) => (i.kind === 'apply_actions' ? i.actions : [])),
        data: random.bytes(20),
      },
      {
        kind: 'ct_flush',
        ip_proto: 6,
        zone: n,
        original: { ipv4_src: n, ipv4_dst: n, src_port: 1, dst_port: 2 },
        reply: { ipv6_src: 5n << 64n },
      },
    );
  }
  return messages;
}

export function seeds(): Uint8Array[] {
  const writer = new Writer();
  const made = generated().map((message) => {
    encodeMessage(writer, message, 1);
    return writer.take();
  });
  const found = ['of13.jsonl', 'ovs-captured.jsonl', 'malformed.jsonl'].flatMap((file) => rows(file).map((row) => bytesOf(row.hex)));
  return [...found, ...made].filter((bytes) => bytes.length >= 8 && bytes.length <= MAX_SEED);
}
