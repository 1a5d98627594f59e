import type { Clock } from './clock.js';

export interface KeepaliveOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Count of whole messages that have come so far. */
  readonly received: () => number;
  readonly probe: () => void;
  readonly onSilent: () => void;
}

/**
 * Asks for a sign of life after an interval without messages, and gives the peer up when two more pass. Bytes do not
 * count: a peer that sends a message one byte at a time is not alive.
 * Returns the function that ends it.
 */
export function startKeepalive({ clock, intervalMs, received, probe, onSilent }: KeepaliveOptions): () => void {
  let seen = received();
  let silentTicks = 0;
  let stopped = false;
  let cancel: () => void = () => undefined;
  const isSilent = () => {
    const now = received();
    const silent = now === seen;
    seen = now;
    return silent;
  };
  const tick = () => {
    silentTicks = isSilent() ? silentTicks + 1 : 0;
    if (silentTicks > 0) probe();
    if (silentTicks < 3) {
      cancel = clock.schedule(intervalMs, tick);
      return;
    }
    // If this process was busy, the answer may lie unread in the socket: let the event loop read before judging.
    setImmediate(() => {
      if (stopped) return;
      if (isSilent()) {
        onSilent();
        return;
      }
      silentTicks = 0;
      cancel = clock.schedule(intervalMs, tick);
    });
  };
  cancel = clock.schedule(intervalMs, tick);
  return () => {
    stopped = true;
    cancel();
  };
}
