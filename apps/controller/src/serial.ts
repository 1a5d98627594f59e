/** Runs asynchronous work one piece after the other, in the order of the calls. */
export class Serial {
  private tail: Promise<unknown> = Promise.resolve();
  private pending = 0;

  /** Nothing runs and nothing is queued. */
  get isIdle(): boolean {
    return this.pending === 0;
  }

  run<T>(work: () => Promise<T> | T): Promise<T> {
    this.pending++;
    const result = this.tail.then(work);
    const done = () => {
      this.pending--;
    };
    // A failed piece must not stop those behind it; its caller gets the error through `result`.
    this.tail = result.then(done, done);
    return result;
  }

  /** Resolves when everything that was queued before the call is done. */
  idle(): Promise<void> {
    return this.tail.then(() => undefined);
  }
}
