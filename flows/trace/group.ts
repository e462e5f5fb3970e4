/**
 * A group made ready to run.
 *
 * Owns: buckets as lists in the order their action sets run.
 */
import type { Group } from '../openflow/flow.js';
import { actionSetOrder, compileAction, type Operation } from './operation.js';

export interface CompiledBucket {
  readonly operations: readonly Operation[];
  readonly watch_port: number | undefined;
}

export interface CompiledGroup {
  readonly type: Group['type'];
  readonly buckets: readonly CompiledBucket[];
}

export function compileGroup({ type, buckets }: Group): CompiledGroup {
  return {
    type,
    buckets: buckets.map(({ actions, watch_port }) => ({ operations: actionSetOrder(actions.map(compileAction)), watch_port })),
  };
}
