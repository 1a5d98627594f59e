import { createSocket } from 'node:dgram';
import type { Peer } from '@heddle/api';

/** The discard service: whatever a peer answers is of no interest. */
const DISCARD_PORT = 9;
/** Waits before the first datagrams to a new peer: it may still be starting, and so may our own bridge. */
const FIRST_WAITS_MS = [0, 250, 500, 1_000, 2_000, 4_000, 8_000] as const;
/** Open vSwitch forgets a next hop after 15 minutes. */
const REPEAT_MS = 5 * 60_000;

/** Sends one datagram to an address; the content does not matter. */
export type SendDatagram = (ip: string, onError: (error: Error) => void) => void;

/**
 * Keeps the next hops of tunnels known: a userspace switch drops the packets that come while it resolves one, and learns it
 * from the answers that the kernel's own traffic gets. So each peer is sent a datagram now and then, more often at first.
 */
export class TunnelNeighbours {
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(
    private readonly onError: (peer: string, error: Error) => void,
    private readonly send: SendDatagram = sendDatagram,
  ) {}

  /** Takes the present peers; the first datagrams to new ones go at once. */
  prime(peers: readonly Peer[]): void {
    const now = new Set(peers.map((peer) => peer.encapIp));
    // A peer that went and comes back may have another MAC.
    for (const ip of [...this.#timers.keys()]) if (!now.has(ip)) this.#forget(ip);
    for (const ip of now) if (!this.#timers.has(ip)) this.#schedule(ip, 0);
  }

  stop(): void {
    for (const ip of [...this.#timers.keys()]) this.#forget(ip);
  }

  #schedule(ip: string, turn: number): void {
    const timer = setTimeout(() => {
      this.send(ip, (error) => this.onError(ip, error));
      this.#schedule(ip, turn + 1);
    }, FIRST_WAITS_MS[turn] ?? REPEAT_MS);
    timer.unref();
    this.#timers.set(ip, timer);
  }

  #forget(ip: string): void {
    clearTimeout(this.#timers.get(ip));
    this.#timers.delete(ip);
  }
}

function sendDatagram(ip: string, onError: (error: Error) => void): void {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', onError);
  socket.send('heddle', DISCARD_PORT, ip, (error) => {
    if (error) onError(error);
    socket.close();
  });
}
