/** Runs asynchronous work one piece after the other, in the order of the calls. */
export class Serial {
  private tail: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T> | T): Promise<T> {
    const result = this.tail.then(work);
    // A failed piece must not stop those behind it; its caller gets the error through `result`.
    this.tail = result.catch(() => undefined);
    return result;
  }

  /** Resolves when everything that was queued before the call is done. */
  idle(): Promise<void> {
    return this.tail.then(() => undefined);
  }
}
