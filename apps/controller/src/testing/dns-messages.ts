import { isIPv4 } from 'node:net';

/** DNS messages for specs (RFC 1035, 4), written without what reads them. */

export interface TestRecord {
  readonly name: string;
  readonly ttl: number;
  /** An address, or the name that it is an alias of. */
  readonly data: string;
}

export interface TestReply {
  readonly id?: number;
  readonly question: string;
  readonly type?: 'A' | 'AAAA';
  readonly answers: readonly TestRecord[];
  /** Default: a reply without error. */
  readonly flags?: number;
  /** Names are written out, without pointers. */
  readonly plain?: true;
}

const TYPES = { A: 1, CNAME: 5, AAAA: 28 } as const;

/** A reply; names that were written before are pointed to, as name servers do. */
export function dnsReply({ id = 1, question, type = 'A', answers, flags = 0x8180, plain }: TestReply): Uint8Array {
  const bytes: number[] = [];
  const places = new Map<string, number>();
  const u16 = (...values: readonly number[]) => {
    for (const v of values) bytes.push((v >> 8) & 0xff, v & 0xff);
  };
  const name = (text: string) => {
    const labels = text.split('.');
    for (let i = 0; i < labels.length; i++) {
      const rest = labels.slice(i).join('.').toLowerCase();
      const known = plain === true ? undefined : places.get(rest);
      if (known !== undefined) return u16(0xc000 | known);
      places.set(rest, bytes.length);
      bytes.push(labels[i]?.length ?? 0, ...Buffer.from(labels[i] ?? '', 'latin1'));
    }
    bytes.push(0);
  };
  u16(id, flags, 1, answers.length, 0, 0);
  name(question);
  u16(TYPES[type], 1);
  for (const { name: owner, ttl, data } of answers) {
    name(owner);
    const kind = isIPv4(data) ? 'A' : data.includes(':') ? 'AAAA' : 'CNAME';
    u16(TYPES[kind], 1, ttl >>> 16, ttl & 0xffff, 0);
    const at = bytes.length;
    if (kind === 'CNAME') name(data);
    else bytes.push(...addressBytes(data));
    const length = bytes.length - at;
    bytes[at - 2] = length >> 8;
    bytes[at - 1] = length & 0xff;
  }
  return Uint8Array.from(bytes);
}

/** Who sends a frame to whom. */
export interface TestEnds {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** `xx:xx:xx:xx:xx:xx`; default zeros. */
  readonly ethernet?: { readonly source: string; readonly destination: string };
}

/** An Ethernet frame with a UDP datagram. Checksums are left out, but for IPv4's. */
export function udpFrame({ payload, ...ends }: TestEnds & { readonly payload: Uint8Array }): Uint8Array {
  const udp = Buffer.alloc(8 + payload.length);
  udp.writeUInt16BE(ends.sourcePort, 0);
  udp.writeUInt16BE(ends.destinationPort, 2);
  udp.writeUInt16BE(udp.length, 4);
  udp.set(payload, 8);
  return ipFrame(ends, 17, udp);
}

export const TCP = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10 } as const;

export interface TestSegment extends TestEnds {
  readonly sequence: number;
  readonly acknowledged?: number;
  /** Bits of `TCP`. */
  readonly flags: number;
  readonly payload?: Uint8Array;
  /** A multiple of 4 bytes. */
  readonly options?: Uint8Array;
}

/** An Ethernet frame with a TCP segment, with its checksums. */
export function tcpFrame(segment: TestSegment): Uint8Array {
  const {
    sequence,
    acknowledged = 0,
    flags,
    payload = new Uint8Array(),
    options = new Uint8Array(),
    ...ends
  } = segment;
  const tcp = Buffer.alloc(20 + options.length + payload.length);
  tcp.writeUInt16BE(ends.sourcePort, 0);
  tcp.writeUInt16BE(ends.destinationPort, 2);
  tcp.writeUInt32BE(sequence >>> 0, 4);
  tcp.writeUInt32BE(acknowledged >>> 0, 8);
  tcp.set([((20 + options.length) / 4) << 4, flags], 12);
  tcp.writeUInt16BE(65_535, 14);
  tcp.set(options, 20);
  tcp.set(payload, 20 + options.length);
  const addresses = [...addressBytes(ends.source), ...addressBytes(ends.destination)];
  // What the checksum covers beside the segment (RFC 9293, 3.1); for IPv6 the fields stand otherwise and add up to the same.
  tcp.writeUInt16BE(checksum(Buffer.from([...addresses, 0, 6, tcp.length >> 8, tcp.length & 0xff]), tcp), 16);
  return ipFrame(ends, 6, tcp);
}

/** Internet checksum (RFC 1071). */
function checksum(...parts: readonly Buffer[]): number {
  let sum = 0;
  for (const part of parts) for (let i = 0; i < part.length; i += 2) sum += (part[i] ?? 0) * 256 + (part[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function ipFrame({ source, destination, ethernet: macs }: TestEnds, protocol: number, body: Buffer): Uint8Array {
  const v4 = isIPv4(source);
  const header = Buffer.alloc(v4 ? 20 : 40);
  if (v4) {
    header.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol]);
    header.writeUInt16BE(header.length + body.length, 2);
    header.set(addressBytes(source), 12);
    header.set(addressBytes(destination), 16);
    header.writeUInt16BE(checksum(header), 10);
  } else {
    header.set([0x60]);
    header.writeUInt16BE(body.length, 4);
    header.set([protocol, 64], 6);
    header.set(addressBytes(source), 8);
    header.set(addressBytes(destination), 24);
  }
  const ethernet = Buffer.alloc(14);
  const mac = (text = '') => Buffer.from(text.replaceAll(':', ''), 'hex');
  ethernet.set(mac(macs?.destination), 0);
  ethernet.set(mac(macs?.source), 6);
  ethernet.writeUInt16BE(v4 ? 0x0800 : 0x86dd, 12);
  return Uint8Array.from(Buffer.concat([ethernet, header, body]));
}

export function addressBytes(address: string): number[] {
  if (isIPv4(address)) return address.split('.').map(Number);
  const [head = '', tail] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((g) => Number.parseInt(g, 16)));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const middle = tail === undefined ? [] : new Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...middle, ...after].flatMap((g) => [g >> 8, g & 0xff]);
}
