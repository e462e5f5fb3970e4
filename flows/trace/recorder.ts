/**
 * Writes down what happens to a packet.
 *
 * Owns: the lists of a trace while it is being made, and the rule by which a copy of a packet that led to nothing becomes a drop.
 * Promises: a copy (a pass, a group bucket, a clone) is dropped if nothing came of it; the reason is the last one noted. Copies made inside a copy
 * count as something that came of it, so a drop is reported once, where it happened.
 */
import type { Microflow } from './microflow.js';
import type { Commit, Decision, Drop, DropWhy, FlowRef, Output, Punt, Trace, TraceStep, Tracked, Undecided, Verdict } from './result.js';

interface Copy {
  effects: number;
  readonly noted: { why: DropWhy; table: number; by: FlowRef | undefined };
}

export class Recorder {
  readonly details: boolean;
  readonly #steps: TraceStep[] = [];
  #outputs: Output[] = [];
  #punts: Punt[] = [];
  #drops: Drop[] = [];
  #commits: Commit[] = [];
  #tracked: Tracked[] = [];
  readonly #meters: { meter_id: number; by: FlowRef | undefined }[] = [];
  readonly #decisions: Decision[] = [];
  readonly #undecided: Undecided[] = [];
  readonly #finals: Microflow[] = [];
  readonly #errors: { readonly pass: number; readonly why: string }[] = [];
  #resubmits = 0;
  #copy: Copy = newCopy();

  constructor(details: boolean) {
    this.details = details;
  }

  step(step: TraceStep): void {
    this.#steps.push(step);
  }

  output(output: Output): void {
    this.#outputs.push(output);
    this.#copy.effects++;
  }

  punt(punt: Punt): void {
    this.#punts.push(punt);
    if (!punt.implicit) this.#copy.effects++;
  }

  commit(commit: Commit): void {
    this.#commits.push(commit);
  }

  /** The packet went into conntrack and goes on in a pass of its own. */
  fork(tracked: Tracked): void {
    this.#tracked.push(tracked);
    this.#copy.effects++;
  }

  meter(meter_id: number, by: FlowRef | undefined): void {
    this.#meters.push({ meter_id, by });
  }

  decision(decision: Decision): void {
    this.#decisions.push(decision);
  }

  undecided(undecided: Undecided): void {
    this.#undecided.push(undecided);
    this.#copy.effects++;
  }

  /** What the copy is dropped for, if nothing comes of it after all. */
  note(why: DropWhy, table: number, by: FlowRef | undefined): void {
    this.#copy.noted.why = why;
    this.#copy.noted.table = table;
    this.#copy.noted.by = by;
  }

  /** Runs `body` as a copy of the packet; `packet` tells what became of the copy. */
  copy(pass: number, packet: () => Microflow, body: () => void): void {
    const outer = this.#copy;
    this.#copy = newCopy();
    body();
    if (this.#copy.effects === 0) this.#drops.push({ pass, ...this.#copy.noted, packet: packet() });
    this.#copy = outer;
    this.#copy.effects++;
  }

  endPass(final: Microflow, resubmits: number): void {
    this.#finals.push(final);
    this.#resubmits = Math.max(this.#resubmits, resubmits);
  }

  /** The switch gives up on the packet: nothing of the pass happens. */
  fail(why: string, pass: number): void {
    this.#errors.push({ pass, why });
    const others = (each: { readonly pass: number }) => each.pass !== pass;
    this.#outputs = this.#outputs.filter(others);
    this.#punts = this.#punts.filter(others);
    this.#drops = this.#drops.filter(others);
    this.#commits = this.#commits.filter(others);
    this.#tracked = this.#tracked.filter(others);
    this.#copy.effects++;
  }

  finish(): Trace {
    return {
      verdict: this.#verdict(),
      steps: this.#steps,
      outputs: this.#outputs,
      punts: this.#punts,
      drops: this.#drops,
      commits: this.#commits,
      tracked: this.#tracked,
      meters: this.#meters,
      decisions: this.#decisions,
      undecided: this.#undecided,
      errors: this.#errors,
      finals: this.#finals,
      resubmits: this.#resubmits,
    };
  }

  #verdict(): Verdict {
    if (this.#undecided.length > 0) return 'undecidable';
    if (this.#outputs.some((output) => !output.to_in_port)) return 'delivered';
    if (this.#outputs.length > 0) return 'answered';
    return this.#punts.some((punt) => !punt.implicit) ? 'punted' : 'dropped';
  }
}

function newCopy(): Copy {
  return { effects: 0, noted: { why: 'no_output', table: 0, by: undefined } };
}
