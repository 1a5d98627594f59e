import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { differences, formatMatrix, type Matrix, parseExpectation } from './matrix.js';

const text = `
# who reaches whom
from/to   a/web:80  svc/a/web:80/tcp   # columns
a/web     -         yes
b/x       yes       no
`;

describe('reachability.txt', () => {
  it('is a table with comments', () => {
    expect(parseExpectation(text)).toEqual({
      columns: ['a/web:80', 'svc/a/web:80/tcp'],
      rows: [
        { from: 'a/web', cells: ['-', 'yes'] },
        { from: 'b/x', cells: ['yes', 'no'] },
      ],
    });
  });
  it.each([
    ['a cell too few', 'from a b\nx yes', 'line 2: want a name and 2 times'],
    ['another word', '\nfrom a\nx perhaps', 'line 3: want a name and 1 times'],
    ['no row', 'from a b', 'no table'],
    ['nothing', '# nothing', 'no table'],
  ])('%s is refused with its line', (_name, wrong, message) => {
    expect(() => parseExpectation(wrong)).toThrow(message);
  });
  it('that of the demo can be read', () => {
    const demo = parseExpectation(
      readFileSync(new URL('../../examples/shop/reachability.txt', import.meta.url), 'utf8'),
    );
    expect(demo.rows.map((r) => r.from)).toEqual([
      'visitors/visitor',
      'shop-web/frontend',
      'shop-core/api',
      'shop-core/database',
    ]);
    expect(demo.columns).toHaveLength(8);
  });
});

const measured = (...cells: readonly (readonly ('yes' | 'no' | 'mixed' | '-')[])[]): Matrix => ({
  columns: ['a/web:80', 'svc/a/web:80/tcp'],
  rows: cells.map((row, i) => ({ from: ['a/web', 'b/x'][i] ?? '', cells: row })),
  connections: 8,
  ms: 1,
  notes: [],
});

describe('the measured matrix', () => {
  const expected = parseExpectation(text);
  it('is as expected when all cells that are tried agree', () => {
    expect(differences(expected, measured(['-', 'yes'], ['yes', 'no']))).toEqual([]);
    expect(differences(expected, measured(['yes', 'yes'], ['yes', 'no']))).toEqual([]);
  });
  it.each([
    [
      'allowed but should not be',
      measured(['-', 'yes'], ['yes', 'yes']),
      ['b/x -> svc/a/web:80/tcp: expected no, measured yes'],
    ],
    [
      'some connections only',
      measured(['-', 'mixed'], ['yes', 'no']),
      ['a/web -> svc/a/web:80/tcp: expected yes, measured mixed'],
    ],
    ['nothing was measured', measured(['-', 'yes'], ['-', 'no']), ['b/x -> a/web:80: expected yes, measured nothing']],
    [
      'a row is missing',
      measured(['-', 'yes']),
      ['b/x -> a/web:80: expected yes, measured undefined', 'b/x -> svc/a/web:80/tcp: expected no, measured undefined'],
    ],
  ])('differs: %s', (_name, matrix, sentences) => {
    expect(differences(expected, matrix)).toEqual(sentences);
  });
  it('marks the cells that differ', () => {
    expect(formatMatrix(measured(['-', 'yes'], ['yes', 'yes']), expected).split('\n')).toEqual([
      '   1  a/web:80',
      '   2  svc/a/web:80/tcp',
      '',
      'from \\ to        1      2',
      'a/web                 yes',
      'b/x            yes  !yes!',
    ]);
  });
});
