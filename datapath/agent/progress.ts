/**
 * Which slice messages the switch has confirmed.
 *
 * Owns: the numbering of changes to what is wanted, and which change completes which slice message and which revision.
 * Assumes: messages are completed in the order of their seq.
 * Promises: `applied` never goes back, and never passes a message one of whose changes the switch does not hold. The revision installed outlives attachments.
 */
export class Progress {
  #change = 0;
  #applied: number | null = null;
  #latest = 0;
  #marks: { readonly seq: number; readonly change: number }[] = [];
  #goals: { readonly revision: number; readonly since: number; readonly change: number }[] = [];
  #revision: number | null = null;

  /** The newest change. */
  get change(): number {
    return this.#change;
  }

  get applied(): number | null {
    return this.#applied;
  }

  /** The last message whose flows are wanted; 0 before the first. */
  get latest(): number {
    return this.#latest;
  }

  /** The last revision all of which the switch was seen to hold; null before the first. */
  get revision(): number | null {
    return this.#revision;
  }

  nextChange(): number {
    return ++this.#change;
  }

  /** With the changes so far, everything that `revision` asks for is wanted; the first of it came at `since`. */
  aim(revision: number, since: number): void {
    const last = this.#goals.at(-1);
    if (last?.change === this.#change) this.#goals.pop();
    this.#goals.push({ revision, since: last?.change === this.#change ? last.since : since, change: this.#change });
  }

  /** With the changes so far, everything that `seq` asks for is wanted. */
  mark(seq: number): void {
    this.#latest = seq;
    const last = this.#marks.at(-1);
    if (last?.change === this.#change) this.#marks.pop();
    this.#marks.push({ seq, change: this.#change });
  }

  /** The switch holds every change before `oldest`. @returns when what was reached by that came, oldest first */
  confirm(oldest: number): readonly number[] {
    while (this.#marks[0] !== undefined && this.#marks[0].change < oldest) this.#applied = this.#marks.shift()!.seq;
    const reached: number[] = [];
    while (this.#goals[0] !== undefined && this.#goals[0].change < oldest) {
      const { revision, since } = this.#goals.shift()!;
      this.#revision = revision;
      reached.push(since);
    }
    return reached;
  }

  /** Another attachment: seq starts anew. */
  restart(): void {
    this.#applied = null;
    this.#latest = 0;
    this.#marks = [];
  }
}
