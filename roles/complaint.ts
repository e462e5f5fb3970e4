/**
 * What to tell the operator of an error at start-up.
 */
import { ConfigError } from '../controller/kernel/config.js';
import { RedisError } from '../controller/redis/errors.js';
import { StoreError } from '../controller/store/contract.js';
import { InstanceError } from '../datapath/agent/instance.js';
import { ListenError } from '../controller/kernel/listen.js';

/** In a line each; only a defect of ours comes with its stack. */
export function complaintOf(error: unknown): readonly string[] {
  if (error instanceof ConfigError) return error.reasons;
  if (error instanceof ListenError || error instanceof StoreError || error instanceof RedisError || error instanceof InstanceError)
    return [error.message];
  if (error instanceof Error && 'syscall' in error) return [systemComplaint(error as NodeJS.ErrnoException)];
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
}

function systemComplaint(error: NodeJS.ErrnoException): string {
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'not permitted',
    EISDIR: 'is a directory',
    ENOTDIR: 'is not a directory',
  };
  const reason = reasons[error.code ?? ''];
  return reason === undefined || error.path === undefined ? error.message : `${error.path}: ${reason}`;
}
