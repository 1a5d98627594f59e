import { formatIpv4, formatIpv6 } from 'openflow-ts';

/** Who sent a packet to whom, from its headers. */
export interface PacketTuple {
  readonly source: string;
  readonly destination: string;
  /** `tcp`, `udp`, `sctp`, `icmp`, `icmpv6`, or the protocol's number. */
  readonly protocol: string;
  /** Destination port; null for protocols without, and for later fragments. */
  readonly port: number | null;
}

const ETHERNET = 14;
const VLAN = 0x8100;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', 132: 'sctp' };
const PORTS: ReadonlySet<number> = new Set([6, 17, 132]);
/** IPv6 extension headers that say their length in units of 8 bytes (RFC 8200, 4). */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60]);
const FRAGMENT = 44;
const MAX_EXTENSIONS = 8;

/** Reads the headers of a frame; undefined where it is no IP packet, or cut short. */
export function packetTuple(frame: Uint8Array): PacketTuple | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  try {
    const tagged = view.getUint16(12) === VLAN;
    const at = tagged ? ETHERNET + 4 : ETHERNET;
    const type = view.getUint16(at - 2);
    if (type === IPV4) return ipv4(view, at);
    return type === IPV6 ? ipv6(view, at) : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function ipv4(view: DataView, at: number): PacketTuple {
  const isLater = (view.getUint16(at + 6) & 0x1fff) !== 0;
  const protocol = view.getUint8(at + 9);
  const end = at + (view.getUint8(at) & 0xf) * 4;
  const [source, destination] = [formatIpv4(view.getUint32(at + 12)), formatIpv4(view.getUint32(at + 16))];
  return { source, destination, ...upper(view, protocol, isLater ? undefined : end) };
}

function ipv6(view: DataView, at: number): PacketTuple {
  const address = (from: number) => formatIpv6((view.getBigUint64(from) << 64n) | view.getBigUint64(from + 8));
  const [source, destination] = [address(at + 8), address(at + 24)];
  let protocol = view.getUint8(at + 6);
  let end = at + 40;
  let isLater = false;
  for (let n = 0; n < MAX_EXTENSIONS && (EXTENSIONS.has(protocol) || protocol === FRAGMENT); n++) {
    if (protocol === FRAGMENT) isLater = (view.getUint16(end + 2) & 0xfff8) !== 0;
    const length = protocol === FRAGMENT ? 8 : (view.getUint8(end + 1) + 1) * 8;
    protocol = view.getUint8(end);
    end += length;
  }
  return { source, destination, ...upper(view, protocol, isLater ? undefined : end) };
}

const upper = (view: DataView, protocol: number, at: number | undefined) => ({
  protocol: PROTOCOLS[protocol] ?? String(protocol),
  port: PORTS.has(protocol) && at !== undefined ? view.getUint16(at + 2) : null,
});
