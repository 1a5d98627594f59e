import { createSocket } from 'node:dgram';
import type { Peer } from '@heddle/api';

/** The discard service: whatever a peer answers is of no interest. */
const DISCARD_PORT = 9;

/**
 * Sends one datagram to each new peer, so that the next hop's MAC is known before the first tunnel packet needs it: a
 * userspace switch drops packets while it resolves.
 */
export class TunnelNeighbours {
  readonly #known = new Set<string>();

  constructor(private readonly onError: (peer: string, error: Error) => void) {}

  prime(peers: readonly Peer[]): void {
    const now = new Set(peers.map((peer) => peer.encapIp));
    // A peer that went and comes back may have another MAC.
    for (const ip of this.#known) if (!now.has(ip)) this.#known.delete(ip);
    for (const ip of now) if (!this.#known.has(ip)) this.#send(ip);
  }

  #send(ip: string): void {
    this.#known.add(ip);
    const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', (e) => this.onError(ip, e));
    socket.send('heddle', DISCARD_PORT, ip, (error) => {
      if (error) this.onError(ip, error);
      socket.close();
    });
  }
}
