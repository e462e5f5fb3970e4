/**
 * Which slice messages the switch has confirmed.
 *
 * Owns: the numbering of changes to what is wanted, and which change completes which slice message.
 * Assumes: messages are completed in the order of their seq.
 * Promises: `applied` never goes back, and never passes a message one of whose changes the switch does not hold.
 */
export class Progress {
  #change = 0;
  #applied: number | null = null;
  #latest = 0;
  #marks: { readonly seq: number; readonly change: number }[] = [];

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

  nextChange(): number {
    return ++this.#change;
  }

  /** With the changes so far, everything that `seq` asks for is wanted. */
  mark(seq: number): void {
    this.#latest = seq;
    const last = this.#marks.at(-1);
    if (last?.change === this.#change) this.#marks.pop();
    this.#marks.push({ seq, change: this.#change });
  }

  /** The switch holds every change before `oldest`. */
  confirm(oldest: number): void {
    while (this.#marks[0] !== undefined && this.#marks[0].change < oldest) this.#applied = this.#marks.shift()!.seq;
  }

  /** Another attachment: seq starts anew. */
  restart(): void {
    this.#applied = null;
    this.#latest = 0;
    this.#marks = [];
  }
}
