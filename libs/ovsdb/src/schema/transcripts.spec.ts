import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseJson } from '../notation/json.js';
import { ZERO_UUID } from '../notation/uuid.js';
import { type Atom, applyDifference, compareAtoms, decodeValue, defaultAtom } from '../notation/value.js';
import { readClauses } from '../testing/engine/condition.js';
import { readDatum, writeDatum } from '../testing/engine/datum.js';
import { readMutations } from '../testing/engine/mutation.js';
import { OperationError } from '../testing/engine/operation-error.js';
import { defaultValues, type EngineRow, readValues, writeColumns } from '../testing/engine/row.js';
import {
  formatBaseType,
  formatColumnSchema,
  formatColumnType,
  formatDatabaseSchema,
  formatTableSchema,
} from './format.js';
import { parseBaseType, parseColumnSchema, parseColumnType, parseDatabaseSchema, parseTableSchema } from './parse.js';
import type { ColumnType } from './types.js';

const file = new URL('../../../../../shared/ovsdb/transcripts/ovsdb-unit.json', import.meta.url).pathname;
const present = existsSync(file);
if (!present) console.log(`skipped: no transcripts in ${file}`);

interface UnitCase {
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly expected: string;
  readonly positive: boolean;
}

// The test program of Open vSwitch takes a lone atom in brackets, JSON texts being objects or arrays there.
const unbox = (text: string): unknown => {
  const value = parseJson(text);
  return Array.isArray(value) && value.length === 1 ? value[0] : value;
};
const noNames = (): typeof ZERO_UUID => ZERO_UUID;
const uuid = ZERO_UUID;
const json = (value: unknown): string =>
  JSON.stringify(value, (_k, v) => (typeof v === 'bigint' ? JSON.rawJSON(`${v}`) : v));
declare global {
  interface JSON {
    rawJSON(text: string): unknown;
  }
}

function evaluate(args: readonly string[], any: boolean): string {
  const schema = parseTableSchema(parseJson(args[0] ?? ''));
  const conditions = parseJson(args[1] ?? '') as unknown[][];
  const rows = parseJson(args[2] ?? '') as object[];
  const engineRows = rows.map(
    (row): EngineRow => ({
      uuid,
      version: uuid,
      values: { ...defaultValues(schema), ...readValues('t', schema, row, noNames) },
    }),
  );
  return conditions
    .map((where, i) => {
      const clauses = readClauses('t', schema, where, noNames);
      const marks = engineRows.map((row) =>
        (any ? clauses.some((c) => c(row)) : clauses.every((c) => c(row))) ? 'T' : '-',
      );
      return `condition ${String(i).padStart(2)}: ${marks.join('')}`;
    })
    .join('\n');
}

function mutate(args: readonly string[]): string {
  const schema = parseTableSchema(parseJson(args[0] ?? ''));
  const sets = parseJson(args[1] ?? '') as unknown[];
  const rows = parseJson(args[2] ?? '') as object[];
  return sets
    .map((set, i) => {
      const lines = rows.map((raw, j) => {
        const values = { ...defaultValues(schema), ...readValues('t', schema, raw, noNames) };
        const before = { uuid, version: uuid, values };
        const after: EngineRow = { ...before, values: { ...values } };
        try {
          for (const { column, apply } of readMutations('t', schema, set, noNames)) {
            Object.assign(after.values, { [column]: apply(after.values[column] as readonly Atom[]) });
          }
        } catch (error) {
          if (!(error instanceof OperationError)) throw error;
          return `row ${j}: ${error.tag}: ${error.details}`;
        }
        const [a, b] = [before, after].map((row) => json(writeColumns(schema, row, [...schema.columns.keys()].sort())));
        return `row ${j}: ${a === b ? 'no change' : b}`;
      });
      return `mutation ${String(i).padStart(2)}:\n${lines.join('\n')}`;
    })
    .join('\n\n');
}

/** A value, or the error that the test program prints in its place. */
function parseEach(texts: readonly string[], read: (text: string) => unknown): string {
  return texts
    .map((text) => {
      try {
        return json(read(text));
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        const syntax = error.syntax === undefined ? '' : `syntax "${json(error.syntax)}": `;
        return `${syntax}${error.tag}: ${error.details}`;
      }
    })
    .join('\n');
}

const WIRE_DEFAULTS = { integer: 0, real: 0, boolean: false, string: '', uuid: ['uuid', ZERO_UUID] } as const;

type Runner = (args: readonly string[]) => string;
const RUNNERS: { readonly [command: string]: Runner } = {
  'parse-atomic-type': ([a]) => json(formatBaseType(parseBaseType(unbox(a ?? '')))),
  'parse-base-type': ([a]) => json(formatBaseType(parseBaseType(unbox(a ?? '')))),
  'parse-type': ([a]) => json(formatColumnType(parseColumnType(unbox(a ?? '')))),
  'parse-column': ([, a]) => json(formatColumnSchema(parseColumnSchema(parseJson(a ?? '')))),
  'parse-table': ([, a, root]) =>
    json(formatTableSchema(parseTableSchema(parseJson(a ?? ''), 'table', root === 'true'), root === 'true')),
  'parse-schema': ([a]) => json(formatDatabaseSchema(parseDatabaseSchema(parseJson(a ?? '')))),
  'parse-data': ([type, ...data]) => {
    const parsed = parseColumnType(unbox(type ?? ''));
    return data.map((each) => json(writeDatum(parsed, readDatum(parsed, unbox(each), noNames)))).join('\n');
  },
  'parse-atoms': ([type, ...atoms]) => {
    const parsed: ColumnType = { key: parseBaseType(unbox(type ?? '')), min: 1, max: 1 };
    return parseEach(atoms, (text) => writeDatum(parsed, readDatum(parsed, unbox(text), noNames)));
  },
  'default-atoms': () =>
    (['integer', 'real', 'boolean', 'string', 'uuid'] as const)
      .map(
        (type) =>
          `${type}: ${defaultAtom({ type }) === decodeValue({ key: { type }, min: 1, max: 1 }, WIRE_DEFAULTS[type]) ? 'OK' : 'wrong'}`,
      )
      .join('\n'),
  'parse-conditions': ([table, ...lists]) => {
    const schema = parseTableSchema(parseJson(table ?? ''));
    return parseEach(lists, (text) => {
      readClauses('t', schema, parseJson(text), noNames);
      return parseJson(text);
    });
  },
  'parse-mutations': ([table, ...lists]) => {
    const schema = parseTableSchema(parseJson(table ?? ''));
    return parseEach(lists, (text) => {
      readMutations('t', schema, parseJson(text), noNames);
      return parseJson(text);
    });
  },
  'sort-atoms': ([type, atoms]) => {
    const base = parseColumnType(unbox(type ?? ''));
    const read = (parseJson(atoms ?? '') as unknown[]).map((atom) => decodeValue(base, atom) as Atom);
    return json(read.sort(compareAtoms).map((atom) => writeDatum(base, [atom])));
  },
  'evaluate-conditions': (args) => evaluate(args, false),
  'evaluate-conditions-any': (args) => evaluate(args, true),
  'execute-mutations': mutate,
};

const cases = present ? (parseJson(readFileSync(file, 'utf8')) as { cases: UnitCase[] }).cases : [];
// Bytes that are no UTF-8 cannot stand in a transcript.
const ours = cases.filter(({ command, title }) => RUNNERS[command] !== undefined && !/^$|UTF-8/.test(title));
const skipped = new Set(
  cases
    .filter(({ command }) => RUNNERS[command] === undefined && command !== 'diff-data')
    .map(({ command }) => command),
);
if (present) console.log(`not replayed, as this library has nothing like it: ${[...skipped].join(', ')}`);

// The texts of floating point numbers are C's; JavaScript writes more digits and other exponents.
function sameNumbers(text: string): string {
  return text
    .split('\n')
    .map((line) =>
      (line.startsWith('condition') ? line.replace(/(?<=[T-]) (?=[T-])/g, '') : line)
        .trimEnd()
        .replace(/(\d\.\d{1,11})\d*(?=e[+-]?\d)/g, '$1'),
    )
    .join('\n')
    .trim();
}
const sortMembers = (text: string): string =>
  text
    .split('\n')
    .map((line) => {
      const at = line.search(/[{["]/);
      if (at < 0) return line;
      try {
        const sorted = (value: unknown): unknown =>
          Array.isArray(value)
            ? value.map(sorted)
            : typeof value === 'object' && value !== null
              ? Object.fromEntries(
                  Object.entries(value)
                    .sort(([a], [b]) => (a < b ? -1 : 1))
                    .map(([k, v]) => [k, sorted(v)]),
                )
              : value;
        return line.slice(0, at) + json(sorted(parseJson(line.slice(at))));
      } catch {
        return line;
      }
    })
    .join('\n');

describe.skipIf(!present)('unit cases of the Open vSwitch tests', () => {
  test.each(ours.filter((each) => each.positive).map((each) => [`${each.command}: ${each.title}`, each] as const))(
    '%s',
    (_title, { command, args, expected }) => {
      const run = RUNNERS[command] as Runner;
      expect(sortMembers(sameNumbers(run(args.filter((a) => a !== '--' && a !== command))))).toBe(
        sortMembers(sameNumbers(expected)),
      );
    },
  );

  test.each(ours.filter((each) => !each.positive).map((each) => [`${each.command}: ${each.title}`, each] as const))(
    'refuses %s',
    (_title, { command, args }) => {
      const run = RUNNERS[command] as Runner;
      expect(() => run(args.filter((a) => a !== command))).toThrow();
    },
  );

  test.each(cases.filter(({ command }) => command === 'diff-data').map((each) => [each.title, each] as const))(
    'difference: %s',
    (_title, { args, expected }) => {
      const [type, ...data] = args.slice(1);
      const parsed = parseColumnType(unbox(type ?? ''));
      const differences = [...expected.matchAll(/^diff: (.*)$/gm)].map(([, text]) => text ?? '');
      expect(differences.length).toBe(data.length / 2);
      differences.forEach((text, i) => {
        const [a, b] = [data[2 * i], data[2 * i + 1]].map((each) => decodeValue(parsed, unbox(each ?? '')));
        const type = parsed.max > 1 ? { ...parsed, min: 0 as const, max: Number.POSITIVE_INFINITY } : parsed;
        const [wire] = parseJson(`[${text}]`) as unknown[];
        const difference = decodeValue(type, wire);
        expect(applyDifference(parsed, a, difference)).toEqual(b);
      });
    },
  );
});
