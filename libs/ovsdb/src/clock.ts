/** Where time comes from. Tests pass their own. */
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds, unless the returned function is called first. `keepAlive` holds the process open. */
  schedule(ms: number, run: () => void, options?: { readonly keepAlive?: boolean }): () => void;
}

/** The machine's clock. Timers do not hold the process open unless asked to. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(ms, run, options) {
    const timer = setTimeout(run, ms);
    if (options?.keepAlive !== true) timer.unref();
    return () => clearTimeout(timer);
  },
};
