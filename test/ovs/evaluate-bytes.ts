import { header, type Packet, type Slots } from '@heddle/compiler';

/** Packets of the evaluator as frames on the wire, and back. Ethernet II, IPv4 without options, IPv6 without extensions. */

const UDP = 17;
const TCP = 6;
const SCTP = 132;
const ICMP = 1;
const ICMP6 = 58;

function number(value: number | bigint | undefined, bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  let rest = BigInt(value ?? 0);
  for (let i = bytes - 1; i >= 0; i--, rest >>= 8n) out[i] = Number(rest & 0xffn);
  return out;
}

/** Internet checksum (RFC 1071). */
function checksum(...parts: readonly Buffer[]): number {
  const data = Buffer.concat(parts);
  let sum = 0;
  for (let i = 0; i < data.length; i += 2) sum += data.readUInt8(i) * 256 + (data[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** CRC32c, as SCTP has it (RFC 9260, appendix A). */
function crc32c(data: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

const isV6 = (h: Slots) => h.eth_type === 0x86dd;

function l4(h: Slots, inner: Slots | undefined, pseudo: Buffer): Buffer {
  const payload = Buffer.from('heddle!!');
  switch (h.nw_proto) {
    case TCP: {
      const flags = Number(h.tcp_flags ?? 0);
      const data = Buffer.concat([
        number(h.tp_src, 2),
        number(h.tp_dst, 2),
        // Sequence numbers are made to please a tracker: each end counts from 1000, a SYN takes one.
        number(flags & 2 ? 1000 : 1001, 4),
        number(flags & 0x10 ? 1001 : 0, 4),
        number(0x5000 | flags, 2),
        number(65535, 2),
        number(0, 4),
      ]);
      data.writeUInt16BE(checksum(pseudo, data), 16);
      return data;
    }
    case UDP: {
      const data = Buffer.concat([
        number(h.tp_src, 2),
        number(h.tp_dst, 2),
        number(8 + payload.length, 2),
        number(0, 2),
        payload,
      ]);
      data.writeUInt16BE(checksum(pseudo, data) || 0xffff, 6);
      return data;
    }
    case SCTP: {
      // An INIT chunk without parameters.
      const data = Buffer.concat([
        number(h.tp_src, 2),
        number(h.tp_dst, 2),
        number(0, 8),
        Buffer.from('010000140000000100000fa000010001000003e8', 'hex'),
      ]);
      data.writeUInt32LE(crc32c(data), 8);
      return data;
    }
    case ICMP:
    case ICMP6: {
      const rest =
        inner !== undefined
          ? Buffer.concat([number(0, 4), network(inner, undefined)])
          : h.nw_proto === ICMP6 && (h.tp_src === 135 || h.tp_src === 136)
            ? Buffer.concat([number(h.nd_reserved, 4), number(h.nd_target, 16), neighbourOption(h)])
            : Buffer.concat([number(h.icmp_id, 2), number(1, 2), payload]);
      const data = Buffer.concat([number(h.tp_src, 1), number(h.tp_dst, 1), number(0, 2), rest]);
      data.writeUInt16BE(checksum(h.nw_proto === ICMP6 ? pseudo : Buffer.alloc(0), data), 2);
      return data;
    }
    default:
      return payload;
  }
}

function neighbourOption(h: Slots): Buffer {
  if (h.nd_options_type === 1) return Buffer.concat([Buffer.from([1, 1]), number(h.arp_sha, 6)]);
  if (h.nd_options_type === 2) return Buffer.concat([Buffer.from([2, 1]), number(h.arp_tha, 6)]);
  return Buffer.alloc(0);
}

function network(h: Slots, inner: Slots | undefined): Buffer {
  const [src, dst] = isV6(h)
    ? [number(h.ipv6_src, 16), number(h.ipv6_dst, 16)]
    : [number(h.nw_src, 4), number(h.nw_dst, 4)];
  const pseudo = (length: number) =>
    isV6(h)
      ? Buffer.concat([src, dst, number(length, 4), number(h.nw_proto, 4)])
      : Buffer.concat([src, dst, number(h.nw_proto, 2), number(length, 2)]);
  // The length does not depend on the checksum, so one dry run gives it.
  const length = l4(h, inner, Buffer.alloc(0)).length;
  const data = l4(h, inner, pseudo(length));
  if (isV6(h))
    return Buffer.concat([
      number(0x60000000, 4),
      number(length, 2),
      number(h.nw_proto, 1),
      number(h.nw_ttl, 1),
      src,
      dst,
      data,
    ]);
  const head = Buffer.concat([
    number(0x4500, 2),
    number(20 + length, 2),
    number(0, 4),
    number(h.nw_ttl, 1),
    number(h.nw_proto, 1),
    number(0, 2),
    src,
    dst,
  ]);
  head.writeUInt16BE(checksum(head), 10);
  return Buffer.concat([head, data]);
}

/** The packet as a frame. */
export function toBytes(packet: Packet): Buffer {
  const h = packet.headers;
  const ethernet = Buffer.concat([number(h.eth_dst, 6), number(h.eth_src, 6), number(h.eth_type, 2)]);
  if (h.eth_type === 0x0806)
    return Buffer.concat([
      ethernet,
      Buffer.from('000108000604', 'hex'),
      number(header(packet, 'arp_op'), 2),
      number(h.arp_sha, 6),
      number(header(packet, 'arp_spa'), 4),
      number(h.arp_tha, 6),
      number(header(packet, 'arp_tpa'), 4),
    ]);
  return Buffer.concat([ethernet, network(h, packet.inner)]);
}

/** What two frames must agree in, one line: addresses, ports, TTL, and the same of an embedded packet. */
export function describe(frame: Buffer): string {
  const mac = (at: number) => frame.toString('hex', at, at + 6);
  const type = frame.readUInt16BE(12);
  const l2 = `${mac(6)}>${mac(0)}`;
  if (type === 0x0806) return `${l2} arp ${frame.toString('hex', 20, 42)}`;
  return `${l2} ${describeIp(frame.subarray(14))}`;
}

function describeIp(ip: Buffer): string {
  const v6 = (ip[0] ?? 0) >> 4 === 6;
  const proto = ip[v6 ? 6 : 9];
  const address = (from: number, to: number) => ip.toString('hex', from, to);
  const [src, dst] = v6 ? [address(8, 24), address(24, 40)] : [address(12, 16), address(16, 20)];
  const data = ip.subarray(v6 ? 40 : 20);
  const head = `${src}>${dst} proto ${proto} ttl ${ip[v6 ? 7 : 8]}`;
  if (proto === TCP || proto === UDP || proto === SCTP)
    return `${head} ${data.readUInt16BE(0)}>${data.readUInt16BE(2)}${proto === TCP ? ` flags ${data[13]}` : ''}`;
  if (proto !== ICMP && proto !== ICMP6) return head;
  const kind = data[0] ?? 0;
  const text = `${head} icmp ${kind}/${data[1]}`;
  if (proto === ICMP ? kind === 3 : kind === 1) return `${text} about ${describeIp(data.subarray(8))}`;
  return kind === 135 || kind === 136 ? `${text} ${data.toString('hex', 4)}` : `${text} id ${data.readUInt16BE(4)}`;
}

/** Frames of a pcap file (the classic format, as Open vSwitch writes it). */
export function framesOf(pcap: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  const little = pcap.length >= 4 && pcap.readUInt32LE(0) === 0xa1b2c3d4;
  const u32 = (at: number) => (little ? pcap.readUInt32LE(at) : pcap.readUInt32BE(at));
  for (let at = 24; at + 16 <= pcap.length; ) {
    const length = u32(at + 8);
    frames.push(pcap.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return frames;
}
