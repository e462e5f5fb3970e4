/**
 * The canary: one flow that says what the switch holds.
 *
 * Owns: its identity (table CANARY, priority 0, every packet, though none comes there) and its content, carried by a `note` action:
 * magic, pipeline version, digest of all other flows and groups of ours.
 * Promises: it holds no epoch and no time: the same flows have the same canary, whoever wrote it. Equal digests mean equal content unless
 * somebody altered the switch by hand, which an audit finds.
 */
import type { Flow } from '../../flows/openflow/flow.js';
import { makeCookie } from '../../flows/pipeline/cookie.js';
import { PIPELINE_VERSION, TABLES } from '../../flows/pipeline/tables.js';

export interface Canary {
  readonly pipelineVersion: number;
  /** 128 bits. */
  readonly digest: bigint;
}

const MAGIC = 0x484f544f;
const DIGEST_OFFSET = 6;
/** `note` is padded with zeros to 6 + a multiple of 8 bytes (OVS nicira-ext.h, NXAST_NOTE): this length needs no padding. */
const LENGTH = 22;

export function canaryFlow(digest: bigint): Flow {
  const data = new Uint8Array(LENGTH);
  const view = new DataView(data.buffer);
  view.setUint32(0, MAGIC);
  view.setUint16(4, PIPELINE_VERSION);
  view.setBigUint64(DIGEST_OFFSET, digest >> 64n);
  view.setBigUint64(DIGEST_OFFSET + 8, digest & 0xffff_ffff_ffff_ffffn);
  return {
    table: TABLES.CANARY.id,
    priority: 0,
    match: [],
    instructions: [{ kind: 'apply_actions', actions: [{ kind: 'note', data }] }],
    cookie: makeCookie(TABLES.CANARY.id, 0n),
  };
}

/** True for the canary's place in the table, whatever it says. */
export function isCanary(flow: Flow): boolean {
  return flow.table === TABLES.CANARY.id && flow.priority === 0 && flow.match.length === 0;
}

/** undefined when the flow is not a canary as we write it. */
export function readCanary(flow: Flow): Canary | undefined {
  if (!isCanary(flow) || flow.cookie !== makeCookie(TABLES.CANARY.id, 0n) || flow.instructions.length !== 1) return undefined;
  const [instruction] = flow.instructions;
  if (instruction?.kind !== 'apply_actions' || instruction.actions.length !== 1) return undefined;
  const [action] = instruction.actions;
  if (action?.kind !== 'note' || action.data.length !== LENGTH) return undefined;
  const view = new DataView(action.data.buffer, action.data.byteOffset, LENGTH);
  if (view.getUint32(0) !== MAGIC) return undefined;
  return {
    pipelineVersion: view.getUint16(4),
    digest: (view.getBigUint64(DIGEST_OFFSET) << 64n) | view.getBigUint64(DIGEST_OFFSET + 8),
  };
}
