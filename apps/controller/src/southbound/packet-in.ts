import { type MessageOf, normalizeMatch, type OpenFlowSession, PACKET_IN_REASONS } from 'openflow-ts';
import type { PacketInEvent } from '../core/ports.js';
import type { SouthboundClock } from './desired.js';

/** Packets of one switch that may wait for their listeners. */
const MAX_WAITING = 512;
/** Listeners get at most this long before other work has its turn; one packet is taken in any case. */
const SLICE_MS = 2;

const NOTHING = { primary: 0, secondary: 0 } as const;
/** Reasons that our flows give (`ofp_packet_in_reason`). A controller without a role counts as a primary one. */
const WANTED = { primary: 1 << PACKET_IN_REASONS.indexOf('action'), secondary: 0 } as const;

/** Asks the switch for packets that flows tell of, and for nothing else: nobody reads the rest. @throws what a session throws */
export const askForPackets = (session: OpenFlowSession): Promise<void> =>
  session.confirm({ kind: 'set_async', packetIn: WANTED, portStatus: NOTHING, flowRemoved: NOTHING });

export interface PacketInQueueOptions {
  readonly node: PacketInEvent['node'];
  readonly clock: SouthboundClock;
  readonly deliver: (event: PacketInEvent) => void;
  /** A listener threw. */
  readonly failed: (error: unknown) => void;
  /** Default 512. */
  readonly maxWaiting?: number | undefined;
}

/**
 * Packets between a switch and its listeners. A burst is taken in short slices, between which flow mods and everything
 * else go on; of a burst that does not fit, the later packets are dropped.
 */
export class PacketInQueue {
  #waiting: MessageOf<'packet_in'>[] = [];
  #scheduled: NodeJS.Immediate | undefined;
  #taken = 0;
  #dropped = 0;

  constructor(private readonly options: PacketInQueueOptions) {}

  /** Packets that listeners got. */
  get taken(): number {
    return this.#taken;
  }
  /** Packets that did not fit. */
  get dropped(): number {
    return this.#dropped;
  }

  readonly put = (message: MessageOf<'packet_in'>): void => {
    if (this.#waiting.length >= (this.options.maxWaiting ?? MAX_WAITING)) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(message);
    this.#scheduled ??= setImmediate(this.#drain);
  };

  /** Forgets what waits. */
  clear(): void {
    this.#waiting = [];
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  readonly #drain = (): void => {
    this.#scheduled = undefined;
    const { clock } = this.options;
    const end = clock.now() + SLICE_MS;
    let taken = 0;
    do {
      const message = this.#waiting[taken];
      if (message === undefined) break;
      taken++;
      this.#deliver(message);
    } while (clock.now() < end);
    this.#waiting.splice(0, taken);
    if (this.#waiting.length > 0) this.#scheduled = setImmediate(this.#drain);
  };

  #deliver({ tableId, cookie, reason, match, totalLen, data }: MessageOf<'packet_in'>): void {
    const { node, deliver, failed } = this.options;
    this.#taken++;
    try {
      deliver({ node, tableId, cookie, reason, fields: normalizeMatch(match), totalLength: totalLen, data });
    } catch (error) {
      failed(error);
    }
  }
}
