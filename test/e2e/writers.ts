/**
 * Users who write while parts die.
 *
 * Owns: one writer per webapi, each with one request under way at a time; what each request was answered.
 * Promises: every request is accounted for: acknowledged, refused (nothing was changed), or unknown (the answer says so, or none came).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../lab/eventually.js';
import type { Fleet } from '../lab/fleet.js';
import type { Json } from '../lab/hotori.js';

const PAGE = 1_000;
const NOBODY_THERE_MS = 50;

export interface Account {
  /** In alphabetical order, as all of these. */
  readonly acknowledged: readonly string[];
  readonly refused: readonly string[];
  readonly unknown: readonly string[];
  /** What was said of those that were refused. */
  readonly reasons: ReadonlyMap<string, string>;
  /** What every webapi has, as often as it has it. */
  readonly there: readonly string[];
}

export class Writers {
  readonly #fleet: Fleet;
  readonly #webapis: readonly string[];
  readonly #acknowledged: string[] = [];
  readonly #refused: string[] = [];
  readonly #unknown: string[] = [];
  readonly #writing: Promise<void>[];
  /** What was said of those that were refused. */
  readonly #reasons = new Map<string, string>();
  #isOver = false;

  private constructor(fleet: Fleet, webapis: readonly string[], prefix: string) {
    this.#fleet = fleet;
    this.#webapis = webapis;
    this.#writing = webapis.map((name) => this.#write(name, prefix));
  }

  /** @param prefix of what they write, where there are several after one another */
  static start(fleet: Fleet, webapis: readonly string[], prefix = ''): Writers {
    return new Writers(fleet, webapis, prefix);
  }

  /** Resolves when so many more have been acknowledged. */
  async more(count: number, timeoutMs = 30_000): Promise<void> {
    const enough = this.#acknowledged.length + count;
    await eventually('writes being acknowledged', () => this.#acknowledged.length >= enough, { timeoutMs });
  }

  /** Ends the writing, and reads from every webapi what came of it. */
  async stop(): Promise<Account> {
    this.#isOver = true;
    await Promise.all(this.#writing);
    const lists = await Promise.all(this.#webapis.map((name) => this.#read(name)));
    for (const list of lists) expect(list).toEqual(lists[0]);
    return {
      acknowledged: this.#acknowledged.sort(),
      refused: this.#refused.sort(),
      unknown: this.#unknown.sort(),
      reasons: this.#reasons,
      there: lists[0]!,
    };
  }

  async #write(name: string, prefix: string): Promise<void> {
    for (let n = 0; !this.#isOver; n++) {
      const display_name = `${prefix}${name}-${n}`;
      const answer = await this.#fleet.ask(name, 'POST', '/segments', { mode: 'virtual', display_name }).catch(() => undefined);
      // An answer may say that it is committed and yet be none: that webapi has not seen it yet.
      if (answer?.status === 200 || answer?.body.committed === true) this.#acknowledged.push(display_name);
      else if (answer === undefined || answer.body.unknown === true) this.#unknown.push(display_name);
      else {
        this.#refused.push(display_name);
        this.#reasons.set(display_name, answer.body.detail);
      }
      if (answer === undefined) await sleep(NOBODY_THERE_MS);
    }
  }

  /** In alphabetical order. */
  async #read(name: string): Promise<string[]> {
    const names: string[] = [];
    for (;;) {
      const { body } = await this.#fleet.ask(name, 'GET', `/segments?limit=${PAGE}&offset=${names.length}`);
      names.push(...body.items.map(({ display_name }: Json) => display_name as string));
      if (names.length >= body.total_count) return names.sort();
    }
  }
}

/** Of what was acknowledged nothing is missing, of what was refused nothing is there, and nothing is there twice. */
export function expectTruth({ acknowledged, refused, reasons, there }: Account): void {
  const set = new Set(there);
  expect({
    missing: acknowledged.filter((one) => !set.has(one)),
    refusedAndThere: refused.filter((one) => set.has(one)).map((one) => `${one}: ${reasons.get(one)}`),
    twice: there.filter((one, i) => there[i - 1] === one),
  }).toEqual({ missing: [], refusedAndThere: [], twice: [] });
}
