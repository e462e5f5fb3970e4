/**
 * Running a command to its end.
 *
 * Owns: output capture, time limits.
 * Promises: no shell; after the time limit the process is killed by its pid; a failure names the command, its exit and its words.
 */
import { spawn } from 'node:child_process';

export interface RunResult {
  /** Exit code; 128 + signal number is not used: a process that died of a signal has `null`. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Given on standard input. */
  readonly input?: string;
}

const DEFAULT_TIMEOUT_MS = 30_000;

export type Argv = readonly [command: string, ...args: string[]];

/** Runs to the end, whatever the exit code. Rejects when the command cannot be started or does not end in time. */
export function tryRun(argv: Argv, options: RunOptions = {}): Promise<RunResult> {
  const [command, ...args] = argv;
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...options.env }, stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    // A command that exits without reading its input is no failure of ours.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    child.on('error', (error) => (clearTimeout(timer), reject(error)));
    child.on('close', (code) => {
      clearTimeout(timer);
      if (isLate) reject(new Error(`${argv.join(' ')}: not done in ${timeoutMs} ms\n${stdout}${stderr}`));
      else resolve({ code, stdout, stderr });
    });
  });
}

/** Standard output of a command that must succeed. */
export async function run(argv: Argv, options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryRun(argv, options);
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}\n${stderr}${stdout}`);
  return stdout;
}
