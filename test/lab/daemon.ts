/**
 * A process that runs until it is stopped.
 *
 * Owns: one child, by pid; its output, in a file.
 * Promises: the child dies with this process however that ends (PR_SET_PDEATHSIG), and hears no Ctrl-C of our terminal.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Argv } from './run.js';

export interface DaemonExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Daemon {
  readonly argv: Argv;
  readonly logFile: string;
  /** Resolves when the process is gone. */
  readonly exited: Promise<DaemonExit>;
  readonly #child: ChildProcess;
  #exit: DaemonExit | undefined;

  private constructor(argv: Argv, logFile: string, child: ChildProcess) {
    this.argv = argv;
    this.logFile = logFile;
    this.#child = child;
    this.exited = new Promise((resolve) => {
      const done = (exit: DaemonExit): void => {
        this.#exit = exit;
        resolve(exit);
      };
      child.once('exit', (code, signal) => done({ code, signal }));
      child.once('error', () => done({ code: null, signal: null }));
    });
  }

  /** Starts the command with its output appended to `logFile`. */
  static start(argv: Argv, logFile: string, env: Readonly<Record<string, string>> = {}): Daemon {
    const log = openSync(logFile, 'a');
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    return new Daemon(argv, logFile, child);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.argv[0]} was not started`);
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#exit === undefined;
  }

  /** All it has printed so far. */
  output(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal);
  }

  /** Sends the signal, waits, kills after `patienceMs`. Resolves when the process is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patienceMs = 5_000): Promise<DaemonExit> {
    this.signal(signal);
    const patience = new AbortController();
    const first = await Promise.race([this.exited, sleep(patienceMs, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    if (first !== undefined) return first;
    this.signal('SIGKILL');
    return this.exited;
  }

  /** Gone at once, nothing tidied up. */
  async kill9(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }
}
