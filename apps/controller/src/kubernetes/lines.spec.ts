import { expect, it } from 'vitest';
import { Lines } from './lines.js';

it.each<[name: string, chunks: string[], lines: string[]]>([
  ['whole lines', ['a\nb\n'], ['a', 'b']],
  ['a line in pieces', ['a', 'b', 'c\nd', '\n'], ['abc', 'd']],
  ['empty lines, which are left out', ['\n\na\n\n'], ['a']],
  ['a rest without an end, which is no line', ['a\nb'], ['a']],
])('cuts %s', (_, chunks, expected) => {
  const found: string[] = [];
  const lines = new Lines(100, (text) => found.push(text));
  for (const chunk of chunks) lines.push(Buffer.from(chunk));
  expect(found).toEqual(expected);
});

it('keeps a character that is cut in two whole', () => {
  const found: string[] = [];
  const lines = new Lines(100, (text) => found.push(text));
  for (const byte of Buffer.from('grün\n')) lines.push(Buffer.from([byte]));
  expect(found).toEqual(['grün']);
});

it('refuses a line that is too long', () => {
  const lines = new Lines(10, () => {});
  lines.push(Buffer.from('123456789'));
  expect(() => lines.push(Buffer.from('012'))).toThrow(/more than 10 bytes/);
});
