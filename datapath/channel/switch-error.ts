/**
 * An OFPT_ERROR as callers see it.
 */
import type { ErrorMessage } from '../../flows/openflow/message.js';
import type { SwitchError } from './contract.js';

export function toSwitchError({ type, code, experimenter }: ErrorMessage, xid: number): SwitchError {
  return { xid, type, code, experimenter, name: experimenter === undefined ? `${type}.${code}` : `${type}.${code} of ${experimenter}` };
}
