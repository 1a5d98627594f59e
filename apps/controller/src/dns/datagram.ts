import { type Ip, ip } from '@heddle/compiler';

/** A UDP datagram as a switch copied it. */
export interface Datagram {
  readonly source: Ip;
  readonly sourcePort: number;
  readonly payload: Uint8Array;
}

const ETHERNET_BYTES = 14;
const UDP_BYTES = 8;
const UDP = 17;
const IPV6_BYTES = 40;

/**
 * The datagram in an Ethernet frame; undefined for anything else, for fragments, for IPv6 with extension headers and for what is
 * not whole. Checksums are the receiver's business.
 */
export function datagramOf(frame: Uint8Array): Datagram | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < ETHERNET_BYTES) return undefined;
  const etherType = view.getUint16(12);
  const packet = etherType === 0x0800 ? ipv4(view) : etherType === 0x86dd ? ipv6(view) : undefined;
  if (packet === undefined) return undefined;
  const { source, at, end } = packet;
  if (end > frame.length || at + UDP_BYTES > end) return undefined;
  const length = view.getUint16(at + 4);
  if (length < UDP_BYTES || at + length > end) return undefined;
  return { source, sourcePort: view.getUint16(at), payload: frame.subarray(at + UDP_BYTES, at + length) };
}

interface Packet {
  readonly source: Ip;
  /** Where its payload begins and ends in the frame. */
  readonly at: number;
  readonly end: number;
}

function ipv4(view: DataView): Packet | undefined {
  if (view.byteLength < ETHERNET_BYTES + 20) return undefined;
  const headerBytes = (view.getUint8(14) & 0x0f) * 4;
  const fragment = view.getUint16(20) & 0x3fff;
  if (view.getUint8(14) >> 4 !== 4 || headerBytes < 20 || fragment !== 0 || view.getUint8(23) !== UDP) return undefined;
  const source = ip([26, 27, 28, 29].map((i) => view.getUint8(i)).join('.'));
  return { source, at: ETHERNET_BYTES + headerBytes, end: ETHERNET_BYTES + view.getUint16(16) };
}

function ipv6(view: DataView): Packet | undefined {
  if (view.byteLength < ETHERNET_BYTES + IPV6_BYTES) return undefined;
  if (view.getUint8(14) >> 4 !== 6 || view.getUint8(20) !== UDP) return undefined;
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(22 + 2 * i).toString(16));
  const at = ETHERNET_BYTES + IPV6_BYTES;
  return { source: ip(groups.join(':')), at, end: at + view.getUint16(18) };
}
