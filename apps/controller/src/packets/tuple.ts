import { ipPacket, readFrame } from './ip-packet.js';

/** Who sent a packet to whom, from its headers. */
export interface PacketTuple {
  readonly source: string;
  readonly destination: string;
  /** `tcp`, `udp`, `sctp`, `icmp`, `icmpv6`, or the protocol's number. */
  readonly protocol: string;
  /** Destination port; null for protocols without, and for later fragments. */
  readonly port: number | null;
}

const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', 132: 'sctp' };
const PORTS: ReadonlySet<number> = new Set([6, 17, 132]);

/** Reads the headers of a frame; undefined where it is no IP packet, or cut short. */
export const packetTuple = (frame: Uint8Array): PacketTuple | undefined =>
  readFrame(frame, (view) => {
    const packet = ipPacket(view);
    if (packet === undefined) return undefined;
    const { source, destination, protocol, fragment, at } = packet;
    const port = PORTS.has(protocol) && fragment !== 'later' ? view.getUint16(at + 2) : null;
    return { source, destination, protocol: PROTOCOLS[protocol] ?? String(protocol), port };
  });
