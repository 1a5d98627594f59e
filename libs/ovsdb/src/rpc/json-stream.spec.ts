import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NotationError } from '../errors.js';
import { formatJson } from '../notation/json.js';
import { JsonStream } from './json-stream.js';

function readAll(chunks: readonly Buffer[], stream = new JsonStream()): unknown[] {
  const messages: unknown[] = [];
  for (const chunk of chunks) stream.push(chunk, (message) => messages.push(message));
  return messages;
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

// Integers beyond 2^53 come back as bigint (tested below), and -0 as 0.
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (_key, item) =>
    Number.isInteger(item) && !Number.isSafeInteger(item) ? 2 ** 53 - 1 : item,
  );
const message = fc
  .oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()))
  .map(plain);

describe('JsonStream', () => {
  test('finds the same messages wherever the stream is split', () => {
    fc.assert(
      fc.property(fc.array(message), fc.array(fc.nat()), fc.constantFrom('', ' ', '\n\t'), (messages, cuts, gap) => {
        const bytes = Buffer.from(messages.map((item) => JSON.stringify(item) + gap).join(''));
        expect(readAll(split(bytes, cuts))).toEqual(messages);
      }),
    );
  });

  test('finds a message that comes byte by byte, with brackets and quotes inside strings', () => {
    const text = '{"a":"}{\\"][\\\\","b":["\\u007b","ü€𝄞"]}';
    expect(readAll([...Buffer.from(text)].map((byte) => Buffer.from([byte])))).toEqual([JSON.parse(text)]);
  });

  test('keeps nothing between messages', () => {
    const stream = new JsonStream();
    readAll([Buffer.from('{"a":1}  [2]'), Buffer.from('{"b"')], stream);
    expect(stream.heldBytes).toBe(4);
    readAll([Buffer.from(':3}')], stream);
    expect(stream.heldBytes).toBe(0);
  });

  test('keeps integers beyond 2^53 exact in both directions', () => {
    const text = '[9223372036854775807,-9007199254740993,12,1e3,"9223372036854775807"]';
    const [read] = readAll([Buffer.from(text)]);
    expect(read).toEqual([9223372036854775807n, -9007199254740993n, 12, 1000, '9223372036854775807']);
    expect(formatJson(read)).toBe('[9223372036854775807,-9007199254740993,12,1000,"9223372036854775807"]');
  });

  test.each([
    ['bytes that are no JSON', ['hello'], 'not JSON objects'],
    ['a bare number', ['42 '], 'not JSON objects'],
    ['crossed brackets', ['{"a":[}]'], 'not JSON'],
    ['a missing comma', ['[1 2]'], 'not JSON'],
    ['a bare control character in a string', ['["\u0001"]'], 'not JSON'],
    ['a message over the bound', ['["', 'x'.repeat(40), 'x'.repeat(40)], 'exceeds 64 bytes'],
    ['a message over the bound in one chunk', [`["${'x'.repeat(80)}"]`], 'exceeds 64 bytes'],
    ['nesting over the bound', ['['.repeat(9)], 'deeper than 8'],
  ])('refuses %s', (_name, chunks, text) => {
    const stream = new JsonStream({ maxMessageBytes: 64, maxDepth: 8 });
    const read = (): unknown =>
      readAll(
        chunks.map((chunk) => Buffer.from(chunk)),
        stream,
      );
    expect(read).toThrow(NotationError);
    expect(read).toThrow(text);
  });

  test('looks at each byte once: a message in 20,000 parts costs little more than in one', () => {
    const text = Buffer.from(JSON.stringify(Array.from({ length: 20_000 }, (_, i) => `string number ${i}`)));
    const size = Math.ceil(text.length / 20_000);
    const parts = Array.from({ length: 20_000 }, (_, i) => text.subarray(i * size, (i + 1) * size));
    const timed = (chunks: readonly Buffer[]): number => {
      const start = performance.now();
      expect(readAll(chunks)).toHaveLength(1);
      return performance.now() - start;
    };
    timed([text]);
    // A rescan from the start would cost 10,000 times as much; the bound only has to tell these two apart.
    expect(timed(parts)).toBeLessThan(100 * timed([text]) + 200);
  });
});
