/**
 * What the demo says.
 *
 * Owns: the look of the output, and the count of expectations that failed.
 * Promises: one line per step with the time since the start; below it what was run and what it printed.
 */

const COLOURS = { dim: 2, red: 31, green: 32, bold: 1 } as const;

export class Narrator {
  readonly #started = performance.now();
  readonly #useColour = process.stdout.isTTY;
  #failures = 0;
  #isDropped = false;

  get failures(): number {
    return this.#failures;
  }

  say(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** From now on only what is said with `say` is printed, and nothing counts. */
  dropScenario(): void {
    this.#isDropped = true;
  }

  step(title: string): void {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1).padStart(5);
    this.#show(`\n${this.#paint('dim', `[${seconds} s]`)} ${this.#paint('bold', title)}`);
  }

  /** A command and what it printed. */
  command(where: string, argv: readonly string[], output = ''): void {
    this.#show(`    ${this.#paint('dim', `${where}#`)} ${argv.join(' ')}`);
    for (const line of output.split('\n')) if (line.trim() !== '') this.#show(`    ${this.#paint('dim', line)}`);
  }

  detail(text: string): void {
    this.#show(`    ${text}`);
  }

  /** Whether what should have happened did. */
  expect(isMet: boolean, what: string): void {
    if (!isMet && !this.#isDropped) this.#failures += 1;
    this.#show(`    ${isMet ? this.#paint('green', '✔') : this.#paint('red', '✘ NOT:')} ${what}`);
  }

  #show(text: string): void {
    if (!this.#isDropped) this.say(text);
  }

  #paint(colour: keyof typeof COLOURS, text: string): string {
    return this.#useColour ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text;
  }
}
