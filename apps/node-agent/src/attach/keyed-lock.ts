/** Runs the tasks of one key one after another, those of different keys side by side. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Keys that a task runs or waits for. */
  get size(): number {
    return this.#tails.size;
  }

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    let release: () => void = () => undefined;
    const mine = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#tails.set(key, mine);
    await before;
    try {
      return await task();
    } finally {
      // The last in the row takes the key away, so that the map does not grow with every container.
      if (this.#tails.get(key) === mine) this.#tails.delete(key);
      release();
    }
  }
}
