/**
 * Calling code of others from the middle of a commit.
 *
 * Promises: what the called code throws does not unwind the commit; it surfaces as an uncaught exception, which is what a defect is.
 */
export function callOut(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
