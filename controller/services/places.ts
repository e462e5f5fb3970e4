/**
 * A number of places, for work that would otherwise be done all at once.
 *
 * Promises: those who wait get a place in the order they came; one who waited for longer than it wants to gets none.
 */
export class Places {
  private free: number;
  private readonly waiting = new Set<() => void>();

  constructor(count: number) {
    this.free = count;
  }

  /** Does the work in a place. @returns undefined when there was none in time. */
  async take<T>(work: () => Promise<T>, patienceMs: number): Promise<T | undefined> {
    if (!(await this.enter(patienceMs))) return undefined;
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  private enter(patienceMs: number): Promise<boolean> {
    if (this.free > 0) {
      this.free--;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const onPlace = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        this.waiting.delete(onPlace);
        resolve(false);
      }, patienceMs);
      this.waiting.add(onPlace);
    });
  }

  private leave(): void {
    for (const onPlace of this.waiting) {
      this.waiting.delete(onPlace);
      onPlace();
      return;
    }
    this.free++;
  }
}
