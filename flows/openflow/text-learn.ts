/**
 * The learn action as text (learn_format of Open vSwitch 3.1).
 */
import type { Action, LearnSpec } from './action.js';
import { FIELDS } from './fields.js';
import { fieldLabel, fieldText, hex, subfieldText } from './text-value.js';

const DEFAULT_PRIORITY = 32768;

export function learnText(action: Extract<Action, { kind: 'learn' }>): string {
  const parts = [`table=${action.table}`];
  const add = (name: string, value: number): void => {
    if (value !== 0) parts.push(`${name}=${value}`);
  };
  add('idle_timeout', action.idle_timeout);
  add('hard_timeout', action.hard_timeout);
  add('fin_idle_timeout', action.fin_idle_timeout);
  add('fin_hard_timeout', action.fin_hard_timeout);
  if (action.priority !== DEFAULT_PRIORITY) parts.push(`priority=${action.priority}`);
  if ((action.flags & 1) !== 0) parts.push('send_flow_rem');
  if ((action.flags & 2) !== 0) parts.push('delete_learned');
  if (action.cookie !== 0n) parts.push(`cookie=${hex(action.cookie)}`);
  add('limit', action.limit ?? 0);
  if (action.result_dst !== undefined) parts.push(`result_dst=${subfieldText(action.result_dst)}`);
  parts.push(...action.specs.map(specText));
  return `learn(${parts.join()})`;
}

function specText(spec: LearnSpec): string {
  switch (spec.kind) {
    case 'output':
      return `output:${subfieldText(spec.src)}`;
    case 'load':
      return `load:${typeof spec.src === 'bigint' ? hex(spec.src) : subfieldText(spec.src)}->${subfieldText(spec.dst)}`;
    case 'match': {
      const { src, dst } = spec;
      const field = FIELDS[dst.field];
      if (typeof src !== 'bigint') {
        return src.field === dst.field && src.offset === dst.offset ? subfieldText(dst) : `${subfieldText(dst)}=${subfieldText(src)}`;
      }
      if (dst.offset !== 0 || dst.bits !== field.bits || field.type === 'bytes') return `${subfieldText(dst)}=${hex(src)}`;
      return `${fieldLabel(dst.field)}=${fieldText(field, field.type === 'bigint' ? src : Number(src))}`;
    }
  }
}
