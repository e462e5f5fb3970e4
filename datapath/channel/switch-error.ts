/**
 * An OFPT_ERROR as callers see it.
 */
import { errorName } from '../../flows/openflow/error-codes.js';
import type { ErrorMessage } from '../../flows/openflow/message.js';
import type { SwitchError } from './contract.js';

export function toSwitchError({ type, code, experimenter }: ErrorMessage, xid: number): SwitchError {
  const name = errorName(experimenter === undefined ? { type, code } : { type, code, experimenter });
  return { xid, type, code, experimenter, name };
}
