import { formatIpv4, formatIpv6 } from 'openflow-ts';

/** The headers of an IP packet, and where in its frame the rest is. */
export interface IpPacket {
  readonly source: string;
  readonly destination: string;
  /** Of what IP carries, behind any extension headers. */
  readonly protocol: number;
  readonly fragment: 'none' | 'first' | 'later';
  /** Where what IP carries begins in the frame. */
  readonly at: number;
  /** Where the packet ends by what it says itself; the frame may be longer, or cut short. */
  readonly end: number;
}

const ETHERNET_BYTES = 14;
const VLAN_BYTES = 4;
const ETHER_TYPE = { vlan: 0x8100, ipv4: 0x0800, ipv6: 0x86dd } as const;
const IPV6_BYTES = 40;
/** IPv6 extension headers that say their length in units of 8 bytes (RFC 8200, 4). */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60]);
const FRAGMENT = 44;
const MAX_EXTENSIONS = 8;

/** Undefined for what is no IP packet. @throws RangeError if the headers are cut short */
export function ipPacket(view: DataView): IpPacket | undefined {
  const tagged = view.getUint16(12) === ETHER_TYPE.vlan;
  const at = tagged ? ETHERNET_BYTES + VLAN_BYTES : ETHERNET_BYTES;
  const type = view.getUint16(at - 2);
  if (type === ETHER_TYPE.ipv4) return ipv4(view, at);
  return type === ETHER_TYPE.ipv6 ? ipv6(view, at) : undefined;
}

function ipv4(view: DataView, at: number): IpPacket | undefined {
  const headerBytes = (view.getUint8(at) & 0xf) * 4;
  if (view.getUint8(at) >> 4 !== 4 || headerBytes < 20) return undefined;
  const flags = view.getUint16(at + 6);
  return {
    source: formatIpv4(view.getUint32(at + 12)),
    destination: formatIpv4(view.getUint32(at + 16)),
    protocol: view.getUint8(at + 9),
    fragment: fragmentOf(flags & 0x1fff, (flags & 0x2000) !== 0),
    at: at + headerBytes,
    end: at + view.getUint16(at + 2),
  };
}

function ipv6(view: DataView, start: number): IpPacket | undefined {
  if (view.getUint8(start) >> 4 !== 6) return undefined;
  const address = (from: number) => formatIpv6((view.getBigUint64(from) << 64n) | view.getBigUint64(from + 8));
  const [source, destination] = [address(start + 8), address(start + 24)];
  let protocol = view.getUint8(start + 6);
  let fragment: IpPacket['fragment'] = 'none';
  let at = start + IPV6_BYTES;
  for (let n = 0; n < MAX_EXTENSIONS && (EXTENSIONS.has(protocol) || protocol === FRAGMENT); n++) {
    const place = protocol === FRAGMENT ? view.getUint16(at + 2) : undefined;
    if (place !== undefined) fragment = fragmentOf(place & 0xfff8, (place & 1) !== 0);
    protocol = view.getUint8(at);
    at += place === undefined ? (view.getUint8(at + 1) + 1) * 8 : 8;
  }
  return { source, destination, protocol, fragment, at, end: start + IPV6_BYTES + view.getUint16(start + 4) };
}

const fragmentOf = (offset: number, more: boolean): IpPacket['fragment'] =>
  offset !== 0 ? 'later' : more ? 'first' : 'none';

/** Reads a frame; undefined also where it ends before what is read. */
export function readFrame<T>(frame: Uint8Array, read: (view: DataView) => T): T | undefined {
  try {
    return read(new DataView(frame.buffer, frame.byteOffset, frame.byteLength));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
