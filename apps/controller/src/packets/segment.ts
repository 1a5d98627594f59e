import { type Ip, ip } from '@heddle/compiler';
import { ipPacket, readFrame } from './ip-packet.js';

/** A TCP segment as a switch copied it (RFC 9293, 3.1). */
export interface Segment {
  readonly source: Ip;
  readonly sourcePort: number;
  readonly destination: Ip;
  readonly destinationPort: number;
  /** Of the first byte of data, or of the SYN before it. */
  readonly sequence: number;
  readonly syn: boolean;
  readonly fin: boolean;
  readonly rst: boolean;
  readonly payload: Uint8Array;
}

const TCP = 6;
const HEADER_BYTES = 20;
const FLAG = { fin: 1, syn: 2, rst: 4 } as const;

/** The segment in an Ethernet frame; undefined for anything else, for fragments and for what is not whole. Checksums are the receiver's business. */
export const segmentOf = (frame: Uint8Array): Segment | undefined =>
  readFrame(frame, (view) => {
    const packet = ipPacket(view);
    if (packet === undefined || packet.protocol !== TCP || packet.fragment !== 'none') return undefined;
    const { source, destination, at, end } = packet;
    if (end > frame.length || at + HEADER_BYTES > end) return undefined;
    const data = at + (view.getUint8(at + 12) >> 4) * 4;
    if (data < at + HEADER_BYTES || data > end) return undefined;
    const flags = view.getUint8(at + 13);
    return {
      source: ip(source),
      sourcePort: view.getUint16(at),
      destination: ip(destination),
      destinationPort: view.getUint16(at + 2),
      sequence: view.getUint32(at + 4),
      syn: (flags & FLAG.syn) !== 0,
      fin: (flags & FLAG.fin) !== 0,
      rst: (flags & FLAG.rst) !== 0,
      payload: frame.subarray(data, end),
    };
  });
