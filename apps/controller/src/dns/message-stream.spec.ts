import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageStream, STREAM_LIMITS, type StreamPiece } from './message-stream.js';

const message = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);
/** Messages as they stand in a stream (RFC 1035, 4.2.2). */
const framed = (...messages: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(messages.flatMap((m) => [m.length >> 8, m.length & 0xff, ...m]));
const A = message(20, 1);
const B = message(300, 2);
/** Near the end of the numbers, so that they begin anew on the way. */
const FIRST = 0xffff_fff0;
const at = (offset: number) => (FIRST + offset) >>> 0;

/** Everything that a stream gives for these pieces of its data. */
function read(data: Uint8Array, pieces: readonly (readonly [from: number, to: number])[]) {
  const stream = new MessageStream(FIRST);
  const messages = pieces.flatMap(([from, to]) => {
    const given = stream.take({ sequence: at(from), bytes: data.subarray(from, to) });
    // What a message lies in may be used again at once.
    return given.map((m) => m.slice());
  });
  return { messages, state: stream.state };
}

describe('messages of a connection', () => {
  const data = framed(A, B);
  it.each<[name: string, pieces: readonly (readonly [number, number])[]]>([
    ['in one segment', [[0, 324]]],
    [
      'in one each',
      [
        [0, 22],
        [22, 324],
      ],
    ],
    [
      'cut within a message',
      [
        [0, 100],
        [100, 324],
      ],
    ],
    [
      'cut within a length',
      [
        [0, 23],
        [23, 324],
      ],
    ],
    [
      'the wrong way round',
      [
        [200, 324],
        [10, 200],
        [0, 10],
      ],
    ],
    [
      'twice',
      [
        [0, 100],
        [0, 100],
        [100, 324],
        [100, 324],
        [0, 324],
      ],
    ],
    [
      'sent again in other pieces',
      [
        [0, 50],
        [150, 250],
        [200, 300],
        [20, 170],
        [0, 324],
      ],
    ],
  ])('%s', (_, pieces) => {
    expect(read(data, pieces)).toEqual({ messages: [A, B], state: 'open' });
  });

  it('that are too long are counted through', () => {
    const long = framed(message(STREAM_LIMITS.messageBytes + 1, 3), A);
    expect(read(long, [[0, long.length]]).messages).toEqual([A]);
    const longest = framed(message(STREAM_LIMITS.messageBytes, 3));
    expect(read(longest, [[0, longest.length]]).messages).toHaveLength(1);
  });

  it.each([0, 11])('end where one of %i bytes is announced: it is no DNS', (length) => {
    const bad = framed(A, message(length, 0), B);
    expect(read(bad, [[0, bad.length]])).toEqual({ messages: [A], state: 'lost' });
  });

  it('never begin within another, wherever a segment begins', () => {
    // What somebody may have had put into a record that he asks for.
    const inner = framed(message(30, 9));
    const outer = framed(Uint8Array.from([...message(50, 0), ...inner, ...message(20, 0)]));
    const begins = outer.length - 20 - inner.length;
    expect(read(outer, [[begins, outer.length]])).toEqual({ messages: [], state: 'open' });
    const all = read(outer, [
      [begins, outer.length],
      [0, begins],
    ]);
    expect(all.messages.map((m) => m.length)).toEqual([outer.length - 2]);
  });
});

describe('the end', () => {
  it.each<[name: string, pieces: readonly StreamPiece[]]>([
    ['comes with the last data', [{ sequence: at(0), bytes: framed(A), last: true }]],
    [
      'comes alone',
      [
        { sequence: at(0), bytes: framed(A) },
        { sequence: at(22), bytes: new Uint8Array(), last: true },
      ],
    ],
    [
      'comes before the data',
      [
        { sequence: at(22), bytes: new Uint8Array(), last: true },
        { sequence: at(0), bytes: framed(A) },
      ],
    ],
  ])('%s', (_, pieces) => {
    const stream = new MessageStream(FIRST);
    const steps = pieces.map((piece) => ({ messages: stream.take(piece), state: stream.state }));
    expect(steps.map(({ state }) => state)).toEqual([...pieces.slice(1).map(() => 'open'), 'ended']);
    expect(steps.flatMap(({ messages }) => messages)).toEqual([A]);
    expect(stream.take({ sequence: at(22), bytes: framed(B) })).toEqual([]);
  });
});

describe('a gap', () => {
  const limits = { messageBytes: 1_000, aheadBytes: 100, aheadSegments: 3 };
  const states = (...pieces: readonly (readonly [offset: number, length: number])[]) => {
    const stream = new MessageStream(FIRST, limits);
    return pieces.map(([offset, length]) => {
      stream.take({ sequence: at(offset), bytes: message(length, 1) });
      return stream.state;
    });
  };
  it('is waited for as long as little comes behind it', () => {
    expect(states([99, 1])).toEqual(['open']);
    expect(states([99, 2])).toEqual(['lost']);
    expect(states([1_000_000, 0])).toEqual(['open']);
  });
  it('is waited for as long as few segments come behind it', () => {
    expect(states([10, 1], [20, 1], [30, 1], [10, 1], [30, 1], [40, 1])).toEqual([
      ...['open', 'open', 'open', 'open', 'open'],
      'lost',
    ]);
  });
});

describe('any data', () => {
  const lengths = fc.array(fc.oneof(fc.integer({ min: 12, max: 40 }), fc.integer({ min: 12, max: 2_000 })), {
    maxLength: 8,
  });
  const cuts = fc.array(fc.nat(4_000), { maxLength: 20 });
  const order = fc.array(fc.nat(), { minLength: 21, maxLength: 21 });
  const again = fc.array(fc.nat(20), { maxLength: 20 });

  it('is the same messages however it is cut, repeated and mixed up', () => {
    fc.assert(
      fc.property(lengths, cuts, order, again, fc.nat(0xffff_ffff), (sizes, places, keys, more, first) => {
        const messages = sizes.map((size, i) => message(size, i + 1));
        const data = framed(...messages);
        const ends = [...new Set([0, data.length, ...places.filter((p) => p < data.length)])].sort((x, y) => x - y);
        const pieces = ends.slice(1).map((end, i) => [ends[i] ?? 0, end] as const);
        const mixed = pieces
          .map((piece, i) => ({ piece, key: keys[i] ?? 0 }))
          .sort((x, y) => x.key - y.key)
          .map(({ piece }) => piece);
        const repeated = more.flatMap((n) => pieces.slice(n, n + 1));
        const stream = new MessageStream(first, { messageBytes: 65_535, aheadBytes: 65_535, aheadSegments: 64 });
        const got = [...repeated, ...mixed, ...repeated].flatMap(([from, to]) =>
          stream
            .take({ sequence: (first + from) >>> 0, bytes: data.slice(from, to), last: to === data.length })
            .map((m) => m.slice()),
        );
        expect(got).toEqual(messages);
        expect(stream.state).toBe(data.length === 0 ? 'open' : 'ended');
      }),
      { numRuns: 500 },
    );
  });

  it('that is garbage neither throws nor gives more than it is', () => {
    const piece = fc.record({ sequence: fc.integer({ min: FIRST - 50, max: FIRST + 400 }), bytes: fc.uint8Array() });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const stream = new MessageStream(FIRST);
        const got = pieces.flatMap(({ sequence, bytes }) => stream.take({ sequence: sequence >>> 0, bytes }));
        const sum = (parts: readonly Uint8Array[]) => parts.reduce((n, p) => n + p.length, 0);
        expect(sum(got)).toBeLessThanOrEqual(sum(pieces.map((p) => p.bytes)));
        for (const m of got) expect(m.length).toBeGreaterThanOrEqual(12);
      }),
      { numRuns: 500 },
    );
  });
});
