/** Where time comes from. Tests pass their own. */
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds (never for Infinity), unless the returned function is called first. `keepAlive` holds the process open. */
  schedule(ms: number, run: () => void, options?: { readonly keepAlive?: boolean }): () => void;
}

const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. Timers do not hold the process open unless asked to. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(ms, run, options) {
    // Node runs a timer beyond its range at once.
    if (ms === Number.POSITIVE_INFINITY) return () => {};
    const timer = setTimeout(run, Math.min(ms, MAX_TIMER_MS));
    if (options?.keepAlive !== true) timer.unref();
    return () => clearTimeout(timer);
  },
};
