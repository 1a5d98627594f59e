import { describe, expect, it } from 'vitest';
import { dnsReply } from '../testing/dns-messages.js';
import { parseDnsReply, resolvedNames } from './message.js';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const resolve = (bytes: Uint8Array) => {
  const reply = parseDnsReply(bytes);
  return reply && resolvedNames(reply);
};

/** A? www.example.com, answered with a pointer to the question (RFC 1035, 4.1.4). */
const EXAMPLE = `
  1234 8180 0001 0001 0000 0000
  03 777777 07 6578616d706c65 03 636f6d 00 0001 0001
  c00c 0001 0001 00000e10 0004 5db8d822`;

describe('a reply', () => {
  it('says which addresses the name has', () => {
    expect(parseDnsReply(hex(EXAMPLE))).toEqual({
      question: 'www.example.com',
      answers: [{ kind: 'address', name: 'www.example.com', ttl: 3600, address: '93.184.216.34' }],
    });
  });

  it('may write names in capitals', () => {
    expect(
      resolve(
        dnsReply({ question: 'WWW.Example.COM', answers: [{ name: 'www.EXAMPLE.com', ttl: 9, data: '192.0.2.1' }] }),
      ),
    ).toEqual([{ name: 'www.example.com', addresses: [{ address: '192.0.2.1', ttl: 9 }] }]);
  });

  it('may give IPv6 addresses, which come out in canonical text', () => {
    const bytes = dnsReply({
      question: 'a.example.com',
      type: 'AAAA',
      answers: [{ name: 'a.example.com', ttl: 9, data: '2001:db8:0:0:0:0:0:1' }],
    });
    expect(resolve(bytes)?.[0]?.addresses).toEqual([{ address: '2001:db8::1', ttl: 9 }]);
  });

  it('may carry further records, which are left aside (OPT, RFC 6891)', () => {
    const bytes = hex(`${EXAMPLE} 00 0029 1000 00000000 0000`);
    bytes[11] = 1;
    expect(resolve(bytes)?.[0]?.addresses).toEqual([{ address: '93.184.216.34', ttl: 3600 }]);
  });

  it.each([true, undefined] as const)(
    'through aliases gives the address to every name on the way (plain: %s)',
    (plain) => {
      const bytes = dnsReply({
        question: 'shop.example.com',
        ...(plain === undefined ? {} : { plain }),
        answers: [
          { name: 'shop.example.com', ttl: 300, data: 'lb.example.net' },
          { name: 'lb.example.net', ttl: 20, data: 'x.cdn.example.org' },
          { name: 'x.cdn.example.org', ttl: 60, data: '192.0.2.7' },
          { name: 'x.cdn.example.org', ttl: 10, data: '192.0.2.8' },
          { name: 'other.example.org', ttl: 60, data: '192.0.2.66' },
        ],
      });
      expect(resolve(bytes)).toEqual([
        {
          name: 'x.cdn.example.org',
          addresses: [
            { address: '192.0.2.7', ttl: 60 },
            { address: '192.0.2.8', ttl: 10 },
          ],
        },
        {
          name: 'lb.example.net',
          addresses: [
            { address: '192.0.2.7', ttl: 20 },
            { address: '192.0.2.8', ttl: 10 },
          ],
        },
        {
          name: 'shop.example.com',
          addresses: [
            { address: '192.0.2.7', ttl: 20 },
            { address: '192.0.2.8', ttl: 10 },
          ],
        },
      ]);
    },
  );

  it('counts a TTL with the top bit set as zero', () => {
    const bytes = dnsReply({ question: 'a.b', answers: [{ name: 'a.b', ttl: 0xffff_ffff, data: '192.0.2.1' }] });
    expect(resolve(bytes)?.[0]?.addresses).toEqual([{ address: '192.0.2.1', ttl: 0 }]);
  });
});

it.each([
  [127, true],
  [128, false],
])('a name behind %i pointers is read: %s', (pointers, isRead) => {
  const bytes = Buffer.alloc(600);
  bytes.set(hex('0001 8180 0001 0001 0000 0000 0161 00 0001 0001'));
  // A record that nobody reads, whose data are pointers, each to the one before and the first to the question.
  bytes.set(hex(`00 0010 0001 00000001 ${(2 * (pointers - 1)).toString(16).padStart(4, '0')}`), 19);
  const begin = 30;
  const word = (place: number) => 0xc000 | place;
  for (let i = 0; i < pointers - 1; i++) bytes.writeUInt16BE(word(i === 0 ? 12 : begin + 2 * (i - 1)), begin + 2 * i);
  const end = begin + 2 * (pointers - 1);
  bytes.writeUInt16BE(2, 6);
  bytes.writeUInt16BE(word(end - 2), end);
  bytes.set(hex('0001 0001 00000001 0004 c0000201'), end + 2);
  const address = { name: 'a', addresses: [{ address: '192.0.2.1', ttl: 1 }] };
  expect(resolve(bytes.subarray(0, end + 16))).toEqual(isRead ? [address] : undefined);
});

describe('says nothing of addresses', () => {
  const one = { name: 'a.b', ttl: 1, data: '192.0.2.1' };
  it.each<[name: string, bytes: Uint8Array]>([
    ['a query', dnsReply({ question: 'a.b', answers: [one], flags: 0x0100 })],
    ['a name that does not exist', dnsReply({ question: 'a.b', answers: [one], flags: 0x8183 })],
    ['another opcode', dnsReply({ question: 'a.b', answers: [one], flags: 0x9180 })],
    ['a reply without answers', dnsReply({ question: 'a.b', answers: [] })],
    ['an answer about another name', dnsReply({ question: 'a.c', answers: [one] })],
    [
      'a circle of aliases',
      dnsReply({
        question: 'a.b',
        answers: [
          { name: 'a.b', ttl: 1, data: 'c.d' },
          { name: 'c.d', ttl: 1, data: 'a.b' },
        ],
      }),
    ],
    [
      'a name with a dot within a label',
      hex('0001 8180 0001 0001 0000 0000 03612e62 00 0001 0001 c00c 0001 0001 00000001 0004 c0000201'),
    ],
    ['the root', hex('0001 8180 0001 0001 0000 0000 00 0001 0001 00 0001 0001 00000001 0004 c0000201')],
  ])('%s', (_, bytes) => {
    expect(resolve(bytes) ?? []).toEqual([]);
  });
});

describe('is not read', () => {
  it.each<[name: string, text: string]>([
    ['nothing', ''],
    ['half a header', '0001 8180 0001'],
    ['no question', '0001 8180 0000 0001 0000 0000 c00c 0001 0001 00000001 0004 c0000201'],
    ['a pointer to itself', '0001 8180 0001 0000 0000 0000 c00c 0001 0001'],
    ['a pointer forwards', '0001 8180 0001 0000 0000 0000 c010 0001 0001 00'],
    ['two pointers to each other', '0001 8180 0001 0001 0000 0000 c00e c00c 0001 0001'],
    ['a label of a reserved kind', '0001 8180 0001 0000 0000 0000 4161 00 0001 0001'],
    [
      'an alias that is longer than its record',
      '0001 8180 0001 0001 0000 0000 0161 00 0001 0001 c00c 0005 0001 00000001 0001 0162 00',
    ],
    ['a record that breaks off', '0001 8180 0001 0001 0000 0000 0161 00 0001 0001 c00c 0001 0001 00000001 0004 c000'],
    ['a name of more than 255 bytes', `0001 8180 0001 0000 0000 0000 ${'3f'.padEnd(128, '61').repeat(5)} 00 0001 0001`],
  ])('%s', (_, text) => {
    expect(parseDnsReply(hex(text))).toBeUndefined();
  });
});

/** Numbers that look random and are the same in every run (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('garbage', () => {
  const good = dnsReply({
    question: 'www.example.com',
    answers: [
      { name: 'www.example.com', ttl: 60, data: 'a.example.net' },
      { name: 'a.example.net', ttl: 60, data: '192.0.2.1' },
      { name: 'a.example.net', ttl: 60, data: '2001:db8::1' },
    ],
  });

  it('never throws, and what is understood are names and addresses', () => {
    const random = numbers(1);
    const below = (n: number) => Math.floor(random() * n);
    let understood = 0;
    for (let i = 0; i < 20_000; i++) {
      // Half of it is noise behind a good header, half a good message with some bytes changed or cut off.
      const noise = i % 2 === 0;
      const bytes = noise
        ? Uint8Array.from({ length: below(80) }, () => below(256))
        : good.slice(0, random() < 0.7 ? good.length : below(good.length));
      if (noise) bytes.set(good.subarray(0, Math.min(6, bytes.length)));
      else for (let n = below(4); n > 0; n--) bytes[12 + below(Math.max(1, bytes.length - 12))] = below(256);
      for (const { name, addresses } of resolve(bytes) ?? []) {
        understood++;
        expect(name).toMatch(/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/);
        expect(name.length).toBeLessThan(256);
        for (const { ttl } of addresses) expect(ttl).toBeGreaterThanOrEqual(0);
      }
    }
    expect(understood).toBeGreaterThan(100);
  });

  it('in a full datagram of pointers is read in no more steps than bytes allow', () => {
    // Each answer's name points to the one before: the worst that pointers that go backwards can do.
    const bytes = Buffer.alloc(65_507);
    bytes.set(hex('0001 8180 0001 ffff 0000 0000 0161 00 0001 0001'));
    for (let at = 19; at + 12 <= 16_000; at += 12)
      bytes.set(hex(`${(0xc000 | (at === 19 ? 12 : at - 12)).toString(16)} 0001 0001 00000001 0000`), at);
    expect(resolve(bytes) ?? []).toEqual([]);
  });
});
