import { type Atom, compareAtoms, sameValue } from '../../notation/value.js';
import type { ConditionFunction } from '../../notation/wire.js';
import type { ColumnType, TableSchema } from '../../schema/types.js';
import { type Datum, excludesAll, includesAll, readDatum, type Symbols } from './datum.js';
import { OperationError } from './operation-error.js';
import { columnDatum, columnTypeIn, type EngineRow } from './row.js';
import { english } from './wire-syntax.js';

/** One condition, ready to be asked. */
export type Clause = (row: EngineRow) => boolean;

const FUNCTIONS: ReadonlySet<string> = new Set<ConditionFunction>([
  '<',
  '<=',
  '==',
  '!=',
  '>=',
  '>',
  'includes',
  'excludes',
]);
const ORDER: ReadonlySet<string> = new Set(['<', '<=', '>=', '>']);

function argumentType(type: ColumnType, fn: ConditionFunction, json: unknown, column: string): ColumnType {
  const scalar = type.max === 1 && type.min === 1 && type.value === undefined;
  if (ORDER.has(fn)) {
    const numeric = type.key.type === 'integer' || type.key.type === 'real';
    if (type.max !== 1 || type.value !== undefined || !numeric) {
      const details = `Type mismatch: "${fn}" operator may not be applied to column ${column} of type ${english(type)}.`;
      throw new OperationError('syntax error', details, json);
    }
    return { ...type, min: 1 };
  }
  if (scalar || fn === '==' || fn === '!=') return type;
  return fn === 'excludes' ? { ...type, min: 0, max: Number.POSITIVE_INFINITY } : { ...type, min: 0 };
}

const COMPARE: { readonly [F in ConditionFunction]: (order: number) => boolean } = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '==': (order) => order === 0,
  includes: (order) => order === 0,
  '!=': (order) => order !== 0,
  excludes: (order) => order !== 0,
  '>=': (order) => order >= 0,
  '>': (order) => order > 0,
};

function holds(type: ColumnType, fn: ConditionFunction, field: Datum, argument: Datum): boolean {
  if (type.max === 1 && type.value === undefined) {
    const [a] = field as readonly Atom[];
    const [b, more] = argument as readonly Atom[];
    if (a !== undefined && b !== undefined && more === undefined) return COMPARE[fn](compareAtoms(a, b));
    if (ORDER.has(fn)) return false;
  }
  const byFunction: { readonly [F in '==' | '!=' | 'includes' | 'excludes']: () => boolean } = {
    '==': () => sameValue(field, argument),
    '!=': () => !sameValue(field, argument),
    includes: () => includesAll(field, argument),
    excludes: () => excludesAll(field, argument),
  };
  return byFunction[fn as keyof typeof byFunction]();
}

function readClause(table: string, schema: TableSchema, json: unknown, symbols: Symbols): Clause {
  if (typeof json === 'boolean') return () => json;
  if (!Array.isArray(json) || json.length !== 3 || typeof json[0] !== 'string' || typeof json[1] !== 'string') {
    throw new OperationError('syntax error', 'Parse error in condition.', json);
  }
  const [column, fn, value] = json as [string, ConditionFunction, unknown];
  const type = columnTypeIn(schema, column);
  if (type === undefined) throw new OperationError('unknown column', `No column ${column} in table ${table}.`, json);
  if (!FUNCTIONS.has(fn)) throw new OperationError('unknown function', `No function named ${fn}.`);
  const argument = readDatum(argumentType(type, fn, json, column), value, symbols);
  return (row) => holds(type, fn, columnDatum(row, column), argument);
}

/** Reads a list of conditions. Throws OperationError. */
export function readClauses(table: string, schema: TableSchema, where: unknown, symbols: Symbols): readonly Clause[] {
  if (!Array.isArray(where)) throw new OperationError('syntax error', 'array expected', where);
  return where.map((clause) => readClause(table, schema, clause, symbols));
}
