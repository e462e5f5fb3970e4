/**
 * Changing many flows and groups as one (ONF EXT-230).
 *
 * Owns: the sequence OPEN, ADD…, barrier, COMMIT, barrier, and what to do when a step fails. The modifications follow OPEN at once: a round trip
 * costs a switch with many ports milliseconds.
 * Assumes: bundles of one connection run one after the other.
 * Promises: all modifications are applied in their order, or none is and the error says which one failed.
 *
 * The barrier before COMMIT is what makes it atomic. Open vSwitch reads each member as it arrives; one it cannot read is answered with an error and left
 * out, and a COMMIT already under way would apply the others. A few modifications of shapes that the switch has read before over this connection go
 * without that barrier, all in one write. Should it not read one of them after all, the error says that the others were applied.
 */
import { EncodeError } from '../../flows/openflow/errors.js';
import type { BundleAddMessage, BundleControlType, Message } from '../../flows/openflow/message.js';
import type { Connection, RequestOptions } from './connection.js';
import type { SwitchError, TableMod } from './contract.js';
import { BundleError, ChannelError, SwitchRejection } from './errors.js';
import type { ReadShapes } from './read-shapes.js';
import { LANE } from './send-queue.js';

const ATOMIC_ORDERED = 3;
/** OFPET_BAD_REQUEST with OFPBRC_BAD_EXPERIMENTER or OFPBRC_BAD_EXP_TYPE: the answer of a switch without bundles. */
const BAD_REQUEST = 1;
const BAD_EXPERIMENTER = 3;
const BAD_EXP_TYPE = 4;
const BAD_LEN = 6;
/** A bundle of up to this many is small: it fits one write, and what it teaches of shapes is worth looking for. */
const SMALL = 64;

export interface BundleTerms {
  readonly bundleId: number;
  /** What the switch has read over this connection. */
  readonly shapes: ReadShapes;
  /** False when writing is not allowed any more: the bundle is given up. */
  readonly mayWrite: () => boolean;
  /** Heeded until COMMIT is sent; from then on the outcome is waited for. */
  readonly signal: AbortSignal | undefined;
}

/** @throws BundleError, ChannelError (`bundles_unsupported`, `not_master`, or why the connection ended), the reason of the signal. */
export async function runBundle(connection: Connection, mods: readonly TableMod[], terms: BundleTerms): Promise<void> {
  const { shapes } = terms;
  if (mods.length > SMALL) return inSteps(connection, mods, terms);
  if (shapes.covers(mods)) {
    try {
      return await atOnce(connection, mods, terms);
    } catch (error) {
      shapes.forget();
      throw error;
    }
  }
  await inSteps(connection, mods, terms);
  shapes.learn(mods);
}

/** In one write. */
async function atOnce(connection: Connection, mods: readonly TableMod[], { bundleId, mayWrite, signal }: BundleTerms): Promise<void> {
  signal?.throwIfAborted();
  if (!mayWrite()) throw notMaster();
  const control = controlOf(connection, bundleId);
  const refused = new Map<number, SwitchError>();
  const opened = control('open_request');
  opened.catch(() => undefined);
  const scope = connection.exchanges.openScope(mods.length, (index, error) => {
    if (!refused.has(index)) refused.set(index, error);
  });
  let index = 0;
  try {
    for (; index < mods.length; index++)
      if (!connection.post(LANE.ORDERED, memberOf(bundleId, mods[index]!), scope.first + index))
        throw new ChannelError('busy', 'too much waits to be sent to the switch');
    await commit(control, connection, connection.limits.bundleTimeout);
  } catch (error) {
    if (index < mods.length) control('discard_request').catch(() => undefined);
    if (error instanceof EncodeError) throw new BundleError(index, unsendable(error));
    if (!(error instanceof SwitchRejection)) throw error;
    await succeeded(opened);
    const [first = [-1, error.error] as const] = refused;
    throw new BundleError(...first);
  } finally {
    connection.exchanges.closeScope(scope);
  }
  if (refused.size > 0) throw new BundleError(...[...refused][0]!, refused);
}

function controlOf(connection: Connection, bundleId: number): Control {
  return (type, options) => connection.request({ kind: 'bundle_control', bundle_id: bundleId, type, flags: ATOMIC_ORDERED }, options);
}

function memberOf(bundleId: number, mod: TableMod): BundleAddMessage {
  return { kind: 'bundle_add', bundle_id: bundleId, flags: ATOMIC_ORDERED, message: toMessage(mod) };
}

function notMaster(): ChannelError {
  return new ChannelError('not_master', 'the right to write was lost before the bundle was committed');
}

/** Committed only when the switch has read all of them. */
async function inSteps(connection: Connection, mods: readonly TableMod[], terms: BundleTerms): Promise<void> {
  const { bundleId, mayWrite, signal } = terms;
  const timeout = connection.limits.bundleTimeout;
  const control = controlOf(connection, bundleId);
  const outcome: { failed?: { readonly index: number; readonly error: SwitchError } } = {};

  let isRefused = false;
  const opened = control('open_request', { signal });
  opened.catch(() => (isRefused = true));
  let discardable = true;
  let index = -1;
  const members = function* (): Generator<BundleAddMessage> {
    for (const mod of mods) {
      index++;
      yield memberOf(bundleId, mod);
    }
  };
  const scope = connection.exchanges.openScope(mods.length, (member, error) => (outcome.failed ??= { index: member, error }));
  try {
    await connection.stream(members(), scope, () => !isRefused && outcome.failed === undefined && mayWrite(), signal);
    await connection.barrier({ timeout, signal });
    await succeeded(opened);
    if (!mayWrite()) throw notMaster();
    if (outcome.failed === undefined) {
      discardable = false;
      await commit(control, connection, timeout);
    }
  } catch (error) {
    // Of a failed COMMIT the member's error comes first; the COMMIT's own only says that there was one.
    if (error instanceof SwitchRejection) outcome.failed ??= { index: -1, error: error.error };
    else if (error instanceof EncodeError) outcome.failed ??= { index, error: unsendable(error) };
    else throw error;
  } finally {
    connection.exchanges.closeScope(scope);
    // Best effort: it would die with the connection, or after ten idle seconds.
    if (discardable) control('discard_request').catch(() => undefined);
  }
  if (outcome.failed !== undefined) throw new BundleError(outcome.failed.index, outcome.failed.error);
}

type Control = (type: BundleControlType, options?: RequestOptions) => Promise<unknown>;

async function succeeded(opened: Promise<unknown>): Promise<void> {
  try {
    await opened;
  } catch (error) {
    if (!(error instanceof SwitchRejection)) throw error;
    const { type, code } = error.error;
    if (type === BAD_REQUEST && (code === BAD_EXPERIMENTER || code === BAD_EXP_TYPE)) {
      throw new ChannelError('bundles_unsupported', 'the switch has no ONF bundles', { cause: error });
    }
    throw new BundleError(-1, error.error);
  }
}

async function commit(control: Control, connection: Connection, timeout: number): Promise<void> {
  const committed = control('commit_request', { timeout });
  // Right behind the COMMIT, to save a round trip.
  const settled = connection.barrier({ timeout });
  // When the COMMIT fails, that is what counts.
  settled.catch(() => undefined);
  await committed;
  await settled;
}

/** A modification that has no form on the wire never reached the switch; it fails the bundle like one that the switch refused. */
function unsendable(error: EncodeError): SwitchError {
  return { xid: 0, type: BAD_REQUEST, code: BAD_LEN, name: `not sent, ${error.message}` };
}

function toMessage(mod: TableMod): Message {
  switch (mod.kind) {
    case 'flow_add':
      return { kind: 'flow_mod', command: 'add', flow: mod.flow };
    case 'flow_delete_strict':
      return { kind: 'flow_mod', command: 'delete_strict', flow: { ...mod.flow, instructions: [], cookie: 0n } };
    case 'group_add':
      return { kind: 'group_mod', command: 'add', group: mod.group };
    case 'group_modify':
      return { kind: 'group_mod', command: 'modify', group: mod.group };
    case 'group_delete':
      return { kind: 'group_mod', command: 'delete', group: { group_id: mod.group_id, type: 'all', buckets: [] } };
  }
}
