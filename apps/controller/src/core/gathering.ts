import type { Serial } from '../serial.js';

interface Waiting<I, O> {
  readonly input: I;
  readonly resolve: (output: O) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Work of which what came meanwhile is done together, in its turn among other work. An input that is answered with
 * `undefined` waits for the next turn, one that is answered with an error is refused, the others have their answers.
 */
export class Gathering<I, O> {
  private waiting: Waiting<I, O>[] = [];

  constructor(
    private readonly operations: Serial,
    /** Bounds the time that everything else waits. */
    private readonly atOnce: number,
    private readonly work: (inputs: readonly I[]) => Promise<readonly (O | Error | undefined)[]>,
  ) {}

  add(input: I): Promise<O> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ input, resolve, reject });
      if (this.waiting.length === 1) this.next();
    });
  }

  private next(): void {
    // Whatever goes wrong is told to those who wait for it.
    void this.operations.run(async () => {
      // Requests that have arrived by now are read before the work holds up this thread.
      await new Promise((done) => setImmediate(done));
      const batch = this.waiting.splice(0, this.atOnce);
      if (batch.length === 0) return;
      try {
        this.answer(batch, await this.work(batch.map((b) => b.input)));
      } catch (e) {
        for (const { reject } of batch) reject(e);
      }
      if (this.waiting.length > 0) this.next();
    });
  }

  private answer(batch: readonly Waiting<I, O>[], outputs: readonly (O | Error | undefined)[]): void {
    this.waiting.unshift(...batch.filter((_, i) => outputs[i] === undefined));
    for (const [i, { resolve, reject }] of batch.entries()) {
      const output = outputs[i];
      if (output instanceof Error) reject(output);
      else if (output !== undefined) resolve(output);
    }
  }
}
