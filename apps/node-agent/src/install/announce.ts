import type { Logger } from 'pino';
import { writeConflist } from './conflist.js';

export interface AnnounceOptions {
  readonly dir: string;
  /** Content of the network configuration list. */
  readonly text: string;
  /** Why ADD could not be served now, if so. */
  readonly trouble: () => Promise<Error | undefined>;
  /** Resolves when the switch has acknowledged every flow up to now; rejects if it does not in time. */
  readonly realized: () => Promise<unknown>;
  readonly pause: (ms: number) => Promise<void>;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

const RETRY_MS = 500;

/**
 * Tells the container runtime that this node has a network, once it has: the machine is set up, the controller answers and
 * the switch has every flow. Written once; a later trouble is what STATUS and ADD say, since a runtime that loses
 * its configuration makes the node NotReady, and evicts pods whose network works.
 */
export async function announce(options: AnnounceOptions): Promise<void> {
  const { dir, text, trouble, realized, pause, signal, logger } = options;
  for (let said = ''; !signal.aborted; ) {
    try {
      const found = await trouble();
      if (found !== undefined) throw found;
      await realized();
      const { changed, before } = writeConflist(dir, text);
      logger.info({ dir, changed }, 'network_announced');
      if (before.length > 0) logger.warn({ dir, before }, 'another_network_comes_first');
      return;
    } catch (err) {
      const reason = err instanceof Error ? err.message : String(err);
      if (!signal.aborted && reason !== said) logger.warn({ reason }, 'network_not_announced_yet');
      said = reason;
      await pause(RETRY_MS);
    }
  }
}
