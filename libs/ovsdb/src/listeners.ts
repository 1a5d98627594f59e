/** A list of listeners. One that throws neither stops the others nor the caller: its error surfaces as an uncaught exception. */
export class Listeners<A extends unknown[]> {
  readonly #listeners = new Set<(...args: A) => void>();

  get size(): number {
    return this.#listeners.size;
  }

  add(listener: (...args: A) => void): () => void {
    // Wrapped, so that the same function added twice is called and removed twice.
    const own = (...args: A): void => listener(...args);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  emit(...args: A): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
