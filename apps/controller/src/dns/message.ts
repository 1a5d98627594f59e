import { type Ip, ip } from '@heddle/compiler';

/**
 * The part of DNS that says which addresses a name has (RFC 1035, 4; AAAA: RFC 3596). Only what is needed is understood, and
 * nothing that a peer sends can make the reading long: names are 255 bytes at most, pointers go backwards only.
 */

/** One record of the answer section, its owner in lower case without the final dot. */
export type DnsAnswer =
  | { readonly kind: 'address'; readonly name: string; readonly ttl: number; readonly address: Ip }
  /** CNAME. */
  | { readonly kind: 'alias'; readonly name: string; readonly ttl: number; readonly target: string };

/** A reply without error. */
export interface DnsReply {
  /** The name that was asked for. */
  readonly question: string;
  readonly answers: readonly DnsAnswer[];
}

/** What a name resolved to, and for how many seconds that is said to hold. */
export interface Resolved {
  readonly name: string;
  readonly addresses: readonly { readonly address: Ip; readonly ttl: number }[];
}

const HEADER_BYTES = 12;
/** Of the octets after the id: QR set, opcode QUERY; rcode NOERROR. Truncated answers (TC) are true as far as they go. */
const [REPLY_MASK, REPLY] = [0xf8, 0x80];
const RCODE_MASK = 0x0f;
const MAX_NAME_BYTES = 255;
/** More than a name has labels; each may stand behind a pointer. */
const MAX_POINTERS = 127;
/** More records than this are not looked at. */
const MAX_ANSWERS = 512;
const CLASS_IN = 1;
const TYPE = { A: 1, CNAME: 5, AAAA: 28 } as const;
/** Host names and the underscore names beside them. What else a label may hold is no name that a policy can ask for. */
const LABEL = /^[a-z0-9_-]+$/;

/** Undefined for whatever is no reply to one question, is an error, or is not whole. */
export function parseDnsReply(bytes: Uint8Array): DnsReply | undefined {
  try {
    return new Reader(bytes).reply();
  } catch (e) {
    if (e instanceof NotDns) return undefined;
    throw e;
  }
}

/** The message breaks off, or says something that no message may say. */
class NotDns extends Error {
  override readonly name = 'NotDns';
}

class Reader {
  private readonly view: DataView;
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  reply(): DnsReply | undefined {
    this.need(HEADER_BYTES);
    const [flags = 0, code = 0] = this.bytes.subarray(2, 4);
    const [questions, answers] = [this.view.getUint16(4), this.view.getUint16(6)];
    if ((flags & REPLY_MASK) !== REPLY || (code & RCODE_MASK) !== 0 || questions !== 1) return undefined;
    this.at = HEADER_BYTES;
    const question = this.name();
    this.skip(4);
    if (question === undefined) return undefined;
    const found: DnsAnswer[] = [];
    for (let i = 0; i < Math.min(answers, MAX_ANSWERS); i++) {
      const answer = this.record();
      if (answer !== undefined) found.push(answer);
    }
    return { question, answers: found };
  }

  /** Undefined for records that do not matter here. */
  private record(): DnsAnswer | undefined {
    const name = this.name();
    this.need(10);
    const [type, klass] = [this.view.getUint16(this.at), this.view.getUint16(this.at + 2)];
    // RFC 2181, 8: a TTL with the top bit set counts as zero.
    const ttl = Math.max(0, this.view.getInt32(this.at + 4));
    const length = this.view.getUint16(this.at + 8);
    this.skip(10);
    const data = this.at;
    this.skip(length);
    if (name === undefined || klass !== CLASS_IN) return undefined;
    if (type === TYPE.A && length === 4)
      return { kind: 'address', name, ttl, address: ip(this.bytes.subarray(data, data + 4).join('.')) };
    if (type === TYPE.AAAA && length === 16) return { kind: 'address', name, ttl, address: this.ipv6(data) };
    if (type !== TYPE.CNAME) return undefined;
    const end = this.at;
    this.at = data;
    const target = this.name();
    if (this.at !== end) throw new NotDns();
    return target === undefined ? undefined : { kind: 'alias', name, ttl, target };
  }

  private ipv6(at: number): Ip {
    const groups = Array.from({ length: 8 }, (_, i) => this.view.getUint16(at + 2 * i).toString(16));
    return ip(groups.join(':'));
  }

  /** Undefined for a name that no policy can ask for; the reading goes on behind it. */
  private name(): string | undefined {
    const labels: string[] = [];
    let usable = true;
    let total = 0;
    let at = this.at;
    /** Where the name ends in the message; known at the first pointer. */
    let end: number | undefined;
    /** A pointer goes before the part that it stands in, so that every jump comes nearer to the beginning. */
    let limit = at;
    let pointers = 0;
    for (;;) {
      const length = this.byte(at);
      if (length >= 0xc0) {
        const target = ((length & 0x3f) << 8) | this.byte(at + 1);
        end ??= at + 2;
        if (target >= limit || ++pointers > MAX_POINTERS) throw new NotDns();
        limit = at = target;
        continue;
      }
      // RFC 1035, 4.1.4: the other two combinations of the top bits are reserved.
      if (length >= 0x40) throw new NotDns();
      at++;
      if (length === 0) break;
      total += length + 1;
      if (total > MAX_NAME_BYTES) throw new NotDns();
      this.byte(at + length - 1);
      const label = String.fromCharCode(...this.bytes.subarray(at, at + length)).toLowerCase();
      usable &&= LABEL.test(label);
      labels.push(label);
      at += length;
    }
    this.at = end ?? at;
    return usable && labels.length > 0 ? labels.join('.') : undefined;
  }

  private byte(at: number): number {
    const value = this.bytes[at];
    if (value === undefined) throw new NotDns();
    return value;
  }

  private need(length: number): void {
    if (this.at + length > this.bytes.length) throw new NotDns();
  }

  private skip(length: number): void {
    this.need(length);
    this.at += length;
  }
}

/**
 * Follows the aliases from the name that was asked for to the addresses. Each name on the way has these addresses, for as long
 * as the shortest-lived record from it onwards. Records that hang on no name on the way are left aside.
 */
export function resolvedNames({ question, answers }: DnsReply): readonly Resolved[] {
  const aliases = new Map<string, Extract<DnsAnswer, { kind: 'alias' }>>();
  for (const a of answers) if (a.kind === 'alias' && !aliases.has(a.name)) aliases.set(a.name, a);
  const chain: { readonly name: string; readonly ttl: number }[] = [];
  let name = question;
  for (;;) {
    const alias = aliases.get(name);
    chain.push({ name, ttl: alias?.ttl ?? Number.POSITIVE_INFINITY });
    if (alias === undefined) break;
    // Taken out, so that a circle ends.
    aliases.delete(name);
    name = alias.target;
  }
  const last = name;
  const addresses = answers.flatMap((a) =>
    a.kind === 'address' && a.name === last ? [{ address: a.address, ttl: a.ttl }] : [],
  );
  if (addresses.length === 0) return [];
  let shortest = Number.POSITIVE_INFINITY;
  return chain.reverse().map(({ name, ttl }) => {
    shortest = Math.min(shortest, ttl);
    const bound = shortest;
    return { name, addresses: addresses.map((a) => ({ address: a.address, ttl: Math.min(a.ttl, bound) })) };
  });
}
