import { vi } from 'vitest';

/** Repeats a check of something that others bring about, until it holds. @throws what the check throws after the time-out */
export const eventually = (check: () => Promise<void>, timeoutMs = 30_000): Promise<void> =>
  vi.waitFor(check, { timeout: timeoutMs, interval: 50 });
