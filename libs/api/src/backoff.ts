export interface BackoffOptions {
  /** The longest first wait. */
  readonly firstMs: number;
  readonly maxMs: number;
  /** 0 to 1. */
  readonly random: () => number;
}

/** Waits that double, each shortened by up to a half at random, so that clients of a server that comes back do not call at once. */
export class Backoff {
  private failures = 0;

  constructor(private readonly options: BackoffOptions) {}

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const { firstMs, maxMs, random } = this.options;
    const full = Math.min(maxMs, firstMs * 2 ** Math.min(this.failures, 30));
    this.failures++;
    return full * (1 - random() / 2);
  }

  reset(): void {
    this.failures = 0;
  }
}
