import { createSocket } from 'node:dgram';
import type { Peer } from '@heddle/api';

/** The discard service: whatever a peer answers is of no interest. */
const DISCARD_PORT = 9;
/** Waits before the first datagrams to a new peer: it may still be starting, and so may our own bridge. */
const FIRST_WAITS_MS = [0, 250, 500, 1_000, 2_000, 4_000, 8_000] as const;
/** Open vSwitch forgets a next hop after 15 minutes. */
const REPEAT_MS = 5 * 60_000;
/** The kernel has resolved a neighbour by then, unless it is not there. */
const RESOLVED_MS = 50;

export interface TunnelNeighboursOptions {
  /** Has the switch told what the kernel knows. */
  readonly tell: () => Promise<unknown>;
  readonly failed: (error: unknown) => void;
  /** Sends one datagram to an address; the content does not matter. */
  readonly send?: (ip: string, failed: (error: Error) => void) => void;
}

/**
 * Keeps the next hops of tunnels known. A userspace switch drops the packets that come while it resolves one, and by itself learns
 * only from answers that it sees the kernel get; the kernel often needs none, as it learns from questions too. So each peer is sent
 * a datagram now and then, more often at first, which has the kernel resolve what it does not know, and the switch is told.
 */
export class TunnelNeighbours {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #telling: NodeJS.Timeout | undefined;

  constructor(private readonly options: TunnelNeighboursOptions) {}

  /** Takes the present peers; the first datagrams to new ones go at once. */
  prime(peers: readonly Peer[]): void {
    const now = new Set(peers.map((peer) => peer.encapIp));
    // A peer that went and comes back may have another MAC.
    for (const ip of [...this.#timers.keys()]) if (!now.has(ip)) this.#forget(ip);
    for (const ip of now) if (!this.#timers.has(ip)) this.#schedule(ip, 0);
  }

  stop(): void {
    for (const ip of [...this.#timers.keys()]) this.#forget(ip);
    clearTimeout(this.#telling);
  }

  #schedule(ip: string, turn: number): void {
    const timer = setTimeout(() => {
      (this.options.send ?? sendDatagram)(ip, this.options.failed);
      this.#tellSoon();
      this.#schedule(ip, turn + 1);
    }, FIRST_WAITS_MS[turn] ?? REPEAT_MS);
    timer.unref();
    this.#timers.set(ip, timer);
  }

  /** Once for all datagrams that go at the same time. */
  #tellSoon(): void {
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      this.options.tell().catch(this.options.failed);
    }, RESOLVED_MS).unref();
  }

  #forget(ip: string): void {
    clearTimeout(this.#timers.get(ip));
    this.#timers.delete(ip);
  }
}

function sendDatagram(ip: string, failed: (error: Error) => void): void {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', failed);
  socket.send('heddle', DISCARD_PORT, ip, (error) => {
    if (error) failed(error);
    socket.close();
  });
}
