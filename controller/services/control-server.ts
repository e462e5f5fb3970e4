/**
 * vnmgr for webapis in other processes.
 */
import type { Bus } from '../bus/contract.js';
import type { VnmgrCalls } from '../contract.js';
import { CONTROL, CONTROL_REQUESTS, type ControlRequest } from '../messages/control-service.js';
import { answerMessages } from './exchange.js';
import type { ServiceLog } from './log.js';

/** Answers until the signal. */
export function serveControl(
  bus: Bus,
  vnmgr: Pick<VnmgrCalls, 'execute' | 'status' | 'waitInstalled' | 'audience'>,
  log: ServiceLog,
  signal: AbortSignal,
): void {
  answerMessages(
    bus,
    CONTROL,
    CONTROL_REQUESTS,
    {
      execute: ({ operations, request_id }: ControlRequest['execute']) => vnmgr.execute(operations, { request_id }),
      status: () => vnmgr.status(),
      audience: ({ uuid }: ControlRequest['audience']) => vnmgr.audience(uuid),
      wait_installed: ({ revision, timeout_ms }: ControlRequest['wait_installed'], _client: string, ending: AbortSignal) =>
        vnmgr.waitInstalled(revision, timeout_ms, ending),
    },
    log,
    signal,
  );
}
