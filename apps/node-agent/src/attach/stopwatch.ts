/** Measures the parts of one operation; parts may overlap. */
export class Stopwatch {
  readonly #start = performance.now();
  readonly #parts: Record<string, number> = {};

  /** Runs a part and notes how long it took, also when it fails. */
  async time<T>(part: string, task: () => Promise<T>): Promise<T> {
    const from = performance.now();
    try {
      return await task();
    } finally {
      this.#parts[part] = round((this.#parts[part] ?? 0) + performance.now() - from);
    }
  }

  /** Milliseconds of each part, and `agentMs` since the start. */
  parts(): Readonly<Record<string, number>> {
    return { ...this.#parts, agentMs: round(performance.now() - this.#start) };
  }
}

const round = (ms: number): number => Math.round(ms * 100) / 100;
