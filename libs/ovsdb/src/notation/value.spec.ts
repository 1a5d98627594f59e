import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NotationError } from '../errors.js';
import { parseColumnType } from '../schema/parse.js';
import type { ColumnType } from '../schema/types.js';
import { Ref } from './uuid.js';
import {
  applyDifference,
  compareAtoms,
  decodeValue,
  defaultValue,
  encodeValue,
  sameValue,
  type Value,
} from './value.js';

const U1 = '36bef046-7da7-43a5-905a-c17899216fcb';
const U2 = '0f1a2b3c-7da7-43a5-905a-c17899216fcb';
const SET = { key: 'integer', min: 0, max: 'unlimited' };
const MAP = { key: 'string', value: 'integer', min: 0, max: 'unlimited' };

// [name, type, wire, value]: RFC 7047 §5.1
const BOTH_WAYS: readonly (readonly [string, unknown, unknown, Value])[] = [
  ['an integer', 'integer', 5, 5],
  ['an integer beyond 2^53', 'integer', 9223372036854775807n, 9223372036854775807n],
  ['a real', 'real', 1.5, 1.5],
  ['a boolean', 'boolean', true, true],
  ['a string', 'string', 'ä', 'ä'],
  ['a uuid', 'uuid', ['uuid', U1], U1],
  ['an empty optional', { key: 'string', min: 0 }, ['set', []], undefined],
  ['a set', SET, ['set', [1, 2]], [1, 2]],
  ['an empty set', SET, ['set', []], []],
  ['a map', MAP, ['map', [['a', 1]]], new Map([['a', 1]])],
  [
    'a map to uuids',
    { key: 'integer', value: 'uuid', min: 0, max: 2 },
    ['map', [[7, ['uuid', U1]]]],
    new Map([[7, U1]]),
  ],
];

// Other notations of the same value.
const READ_ONLY: readonly (readonly [string, unknown, unknown, Value])[] = [
  ['a scalar as a set of one', 'integer', ['set', [5]], 5],
  ['an optional as its atom', { key: 'string', min: 0 }, 'x', 'x'],
  ['an optional as a set of one', { key: 'string', min: 0 }, ['set', ['x']], 'x'],
  ['a set of one as its atom', SET, 3, [3]],
  ['a set out of order', SET, ['set', [3, -1, 2]], [-1, 2, 3]],
];

const BAD: readonly (readonly [string, unknown, unknown])[] = [
  ['a string for an integer', 'integer', '5'],
  ['a fraction for an integer', 'integer', 1.5],
  ['an integer beyond 2^63', 'integer', 9223372036854775808n],
  ['a bare text for a uuid', 'uuid', U1],
  ['a malformed uuid', 'uuid', ['uuid', '36bef046-7da7-43a5-905a-c17899216fc']],
  ['two atoms for an optional', { key: 'string', min: 0 }, ['set', ['a', 'b']]],
  ['no atom for a scalar', 'string', ['set', []]],
  ['a duplicate in a set', SET, ['set', [1, 2, 1]]],
  [
    'a duplicate key in a map',
    MAP,
    [
      'map',
      [
        ['a', 1],
        ['a', 2],
      ],
    ],
  ],
  ['a set for a map', MAP, ['set', ['a']]],
  ['an empty set for a map', MAP, ['set', []]],
  ['a triple in a map', MAP, ['map', [['a', 1, 2]]]],
  ['an atom for a map', MAP, 'a'],
];

describe('value notation', () => {
  test.each(BOTH_WAYS)('reads and writes %s', (_name, type, wire, value) => {
    expect(decodeValue(parseColumnType(type), wire)).toEqual(value);
    expect(encodeValue(parseColumnType(type), value)).toEqual(wire);
  });

  test.each(READ_ONLY)('reads %s', (_name, type, wire, value) => {
    expect(decodeValue(parseColumnType(type), wire)).toEqual(value);
  });

  test.each(BAD)('refuses %s', (_name, type, wire) => {
    expect(() => decodeValue(parseColumnType(type), wire)).toThrow(NotationError);
  });

  test('writes Refs in place of UUIDs and objects in place of maps', () => {
    const refs = parseColumnType({ key: 'uuid', min: 0, max: 'unlimited' });
    expect(encodeValue(refs, [U1, new Ref('Port', 'row1')])).toEqual([
      'set',
      [
        ['uuid', U1],
        ['named-uuid', 'row1'],
      ],
    ]);
    expect(encodeValue(parseColumnType(MAP), { a: 1, b: undefined })).toEqual(['map', [['a', 1]]]);
  });

  test.each([
    ['an integer that has lost digits', 'integer', 2 ** 53],
    ['NaN', 'real', Number.NaN],
    ['an atom where a set stands', SET, 1],
    ['undefined where a value must stand', 'string', undefined],
    ['a text that is no UUID', 'uuid', 'br-int'],
  ])('refuses to write %s', (_name, type, value) => {
    expect(() => encodeValue(parseColumnType(type), value)).toThrow(NotationError);
  });

  test.each([
    ['integer', 'integer', 0],
    ['string', 'string', ''],
    ['uuid', 'uuid', '00000000-0000-0000-0000-000000000000'],
    ['optional', { key: 'string', min: 0 }, undefined],
    ['set', SET, []],
    ['set of at least one', { key: 'integer', min: 1, max: 3 }, [0]],
    ['map', MAP, new Map()],
  ])('the default of %s', (_name, type, value) => {
    expect(defaultValue(parseColumnType(type))).toEqual(value);
  });

  test('applies the differences of ovsdb-server(7) 4.1.14', () => {
    const scalar = parseColumnType('integer');
    expect(applyDifference(scalar, 4, 9)).toBe(9);
    expect(applyDifference(parseColumnType({ key: 'integer', min: 0 }), 4, undefined)).toBe(undefined);
    expect(applyDifference(parseColumnType(SET), [1, 2], [2, 3])).toEqual([1, 3]);
    const before = new Map([
      ['keep', 1],
      ['drop', 2],
      ['set', 3],
    ]);
    const difference = new Map([
      ['drop', 2],
      ['set', 4],
      ['new', 5],
    ]);
    const after = applyDifference(parseColumnType(MAP), before, difference);
    expect(after).toEqual(
      new Map([
        ['keep', 1],
        ['set', 4],
        ['new', 5],
      ]),
    );
    expect(before.get('drop')).toBe(2);
  });

  test('a difference applied to one side gives the other', () => {
    const type: ColumnType = parseColumnType(SET);
    const set = fc.uniqueArray(fc.integer()).map((atoms) => atoms.sort(compareAtoms));
    fc.assert(
      fc.property(set, set, (a, b) => {
        const difference = [...a.filter((x) => !b.includes(x)), ...b.filter((x) => !a.includes(x))];
        expect(sameValue(applyDifference(type, a, difference), b)).toBe(true);
      }),
    );
  });
});

test('uuids are ordered as their numbers are', () => {
  expect(compareAtoms(U1, U2)).toBe(1);
});
