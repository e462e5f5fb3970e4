/**
 * Waiting that ends with an AbortSignal.
 */

/** A call, so that the compiler does not take the state before an await for the state after it. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Resolves as `work` does, or with undefined once the signal is aborted. Leaves no listener on the signal: it may outlive a great many calls. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    const done = (): void => signal.removeEventListener('abort', onAbort);
    work.then(
      (value) => {
        done();
        resolve(value);
      },
      (error: unknown) => {
        done();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
