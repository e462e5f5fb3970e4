/**
 * One AbortSignal for each call: it aborts when the client has gone or the server stops.
 */
import type { ServerResponse } from 'node:http';

export function callSignals(stopping: AbortSignal): (response: ServerResponse) => AbortSignal {
  // One listener for all of them: thousands may wait at once.
  const live = new Set<AbortController>();
  stopping.addEventListener('abort', () => {
    for (const call of live) call.abort();
  });
  return (response) => {
    const call = new AbortController();
    if (stopping.aborted) call.abort();
    live.add(call);
    response.once('close', () => {
      live.delete(call);
      call.abort();
    });
    return call.signal;
  };
}
