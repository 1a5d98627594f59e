import { type Ip, ip } from '@heddle/compiler';
import { ipPacket, readFrame } from './ip-packet.js';

/** A UDP datagram as a switch copied it. */
export interface Datagram {
  readonly source: Ip;
  readonly sourcePort: number;
  readonly payload: Uint8Array;
}

const UDP_BYTES = 8;
const UDP = 17;

/** The datagram in an Ethernet frame; undefined for anything else, for fragments and for what is not whole. Checksums are the receiver's business. */
export const datagramOf = (frame: Uint8Array): Datagram | undefined =>
  readFrame(frame, (view) => {
    const packet = ipPacket(view);
    if (packet === undefined || packet.protocol !== UDP || packet.fragment !== 'none') return undefined;
    const { source, at, end } = packet;
    if (end > frame.length || at + UDP_BYTES > end) return undefined;
    const length = view.getUint16(at + 4);
    if (length < UDP_BYTES || at + length > end) return undefined;
    return { source: ip(source), sourcePort: view.getUint16(at), payload: frame.subarray(at + UDP_BYTES, at + length) };
  });
