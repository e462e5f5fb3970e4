/**
 * Which groups actions send to.
 *
 * Promises: nested actions are looked into; the order is that of the actions.
 */
import type { Action } from './action.js';
import type { Flow } from './flow.js';

export function groupsOfFlow(flow: Flow): number[] {
  return flow.instructions.flatMap((instruction) => ('actions' in instruction ? groupsOf(instruction.actions) : []));
}

export function groupsOf(actions: readonly Action[]): number[] {
  return actions.flatMap((action) => {
    if (action.kind === 'group') return [action.group_id];
    if (action.kind === 'clone') return groupsOf(action.actions);
    return [];
  });
}
