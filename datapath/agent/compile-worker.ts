/**
 * Compiles in a thread of its own.
 *
 * Owns: `digestInWorker`, for the agent, and what runs in the thread when it is started with this file.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { CompileRecord } from '../../flows/compile/contract.js';
import { createCompiler, type CompilerOptions } from '../../flows/compile/compiler.js';
import { digestOf } from './image.js';

interface Task {
  readonly records: readonly CompileRecord[];
  readonly options: CompilerOptions;
}

/** The digest of the tables that the records make. Rejects when the thread fails, and with the signal's reason. */
export function digestInWorker(records: readonly CompileRecord[], options: CompilerOptions, signal: AbortSignal): Promise<bigint> {
  return new Promise((resolve, reject) => {
    const task: Task = { records, options };
    const worker = new Worker(new URL(import.meta.url), { workerData: { compile: task } });
    const onAbort = (): void => {
      reject(signal.reason as Error);
      void worker.terminate();
    };
    const settle = (how: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      how();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    worker.once('message', (digest: bigint) => settle(() => resolve(digest)));
    worker.once('error', (error) => settle(() => reject(error)));
    worker.once('exit', (code) => settle(() => reject(new Error(`the thread that compiles ended with ${code}`))));
  });
}

const task = isMainThread ? undefined : (workerData as { readonly compile?: Task } | null)?.compile;
if (task !== undefined) {
  const compiler = createCompiler(task.options);
  compiler.update(task.records, []);
  parentPort?.postMessage(digestOf(compiler.tables));
}
