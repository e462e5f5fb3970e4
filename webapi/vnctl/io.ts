/**
 * What a run of vnctl touches outside itself, and how it ends badly.
 */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** All of standard input. */
  readonly stdin: () => Promise<string>;
  readonly readFile: (path: string) => Promise<string>;
  /** Whether standard output shows colours. */
  readonly colours: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export const EXIT = { ok: 0, error: 1, wait_timeout: 3, dropped: 4, undecidable: 5, usage: 64 } as const;

/** Ends a run with lines for the user, one for each reason, and an exit code. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  readonly lines: readonly string[];

  constructor(exitCode: number, lines: readonly string[]) {
    super(lines.join('\n'));
    this.exitCode = exitCode;
    this.lines = lines;
  }
}

export function usageError(line: string): CliError {
  return new CliError(EXIT.usage, [line]);
}
