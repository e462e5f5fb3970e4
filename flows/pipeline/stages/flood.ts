/**
 * Broadcast and multicast.
 *
 * Owns: which flood sets a segment has, and their chunks of outputs.
 * Assumes: Open vSwitch leaves out the port a packet came in on; 4096 resubmits are the limit per packet (goto counts too).
 * Promises: ports with a policy get only what their class admits, evaluated once per class and not per port; a port more rewrites one chunk.
 */
import type { Action } from '../../openflow/action.js';
import { apply, goto, resubmit } from '../build.js';
import { FILTERED, UNKNOWN_HOLDERS, type FloodSet, type Nic } from '../facts.js';
import { filteredNicsOfSegment, floodChunksOfSet, floodSetsOfSegment, nicsOfFloodChunk } from '../indexes.js';
import { regLoad, regMatch } from '../registers.js';
import { rule, type Lookup } from '../rule.js';
import { isArpOrNd } from './address.js';
import { learningSegment } from './attachments.js';

export const floodSegmentFlows = rule('flood', 'flood_set', (set, look, emit) => {
  const sets = look.all(floodSetsOfSegment, String(set.segment_key));
  const here = regMatch('segment', set.segment_key);
  // Every set of the segment emits the same row, so that it stands as long as one of them does.
  emit.owners(set.domain_uuid);
  emit.flow('FLOOD', 100, [here], [apply(...floodBranches(sets, look))]);

  if (set.policy_class_key === FILTERED) return;
  const chunks = look
    .all(floodChunksOfSet, set.uuid)
    .map((c) => c.chunk)
    .sort((a, b) => a - b);
  const outputs = chunks.flatMap((chunk): Action[] => [regLoad('flood_chunk', chunk), resubmit('FLOOD_CHUNK')]);
  emit.flow('FLOOD_OUT', 100, [here, regMatch('destination_class', set.policy_class_key)], [apply(...outputs)]);

  if (set.policy_class_key === UNKNOWN_HOLDERS && learningSegment(set.domain_uuid, look) === undefined) {
    const holders = [apply(regLoad('destination_class', UNKNOWN_HOLDERS)), goto('FLOOD_OUT')];
    for (const row of isArpOrNd()) emit.flow('FLOOD', 110, [here, ...row], holders);
  }
});

/** ARP and ND that nobody answers, to the ports that may own anything. */
export function toHolders(): Action {
  return { kind: 'clone', actions: [regLoad('destination_class', UNKNOWN_HOLDERS), resubmit('FLOOD_OUT')] };
}

/** To every port of each set, whatever its policy. */
export function unpolicedBranches(sets: readonly FloodSet[]): Action[] {
  const classes = sets.map((set) => set.policy_class_key).filter((key) => key !== UNKNOWN_HOLDERS && key !== FILTERED);
  return classes.map((key): Action => ({ kind: 'clone', actions: [regLoad('destination_class', key), resubmit('FLOOD_OUT')] }));
}

/** What a flood does for the ports here: once per policy class, and once per filtered port. */
export function floodBranches(sets: readonly FloodSet[], look: Lookup): Action[] {
  return sets.flatMap((set) => {
    if (set.policy_class_key === UNKNOWN_HOLDERS) return [];
    if (set.policy_class_key === FILTERED) return look.all(filteredNicsOfSegment, String(set.segment_key)).map(branchTo);
    return [branch(set.policy_class_key)];
  });
}

/** One branch of a flood in a clone, so that registers set by one do not reach the next. */
function branch(policyClassKey: number): Action {
  const policed = policyClassKey !== 0;
  const actions = [regLoad('multicast', 1), regLoad('destination_class', policyClassKey), resubmit(policed ? 'IN_ID' : 'FLOOD_OUT')];
  return { kind: 'clone', actions };
}

/** A filtered port is judged on its own, as if the packet were for it alone; conntrack is not asked for what is sent to many. */
function branchTo(nic: Nic): Action {
  return {
    kind: 'clone',
    actions: [
      regLoad('destination_port', nic.port_key),
      regLoad('destination_zone', nic.ct_zone),
      regLoad('destination_class', nic.policy_class_key),
      regLoad('tracked', 0),
      resubmit(nic.policy_class_key === 0 ? 'IN_FILTER_CT' : 'IN_ID'),
    ],
  };
}

export const floodChunkFlows = rule('flood chunk', 'flood_chunk', (chunk, look, emit) => {
  if (chunk.policy_class_key === FILTERED) return;
  const nics = look.all(nicsOfFloodChunk, chunk.uuid);
  emit.owners(...nics.map((nic) => nic.interface_uuid));
  const ports = [...new Set(nics.map((nic) => nic.ofport))].sort((a, b) => a - b);
  emit.flow(
    'FLOOD_CHUNK',
    100,
    [regMatch('segment', chunk.segment_key), regMatch('destination_class', chunk.policy_class_key), regMatch('flood_chunk', chunk.chunk)],
    [apply(...ports.map((port): Action => ({ kind: 'output', port })))],
  );
});
