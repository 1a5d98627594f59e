import { type Atom, compareAtoms } from '../../notation/value.js';
import type { Mutator } from '../../notation/wire.js';
import type { ColumnType, TableSchema } from '../../schema/types.js';
import { checkConstraints, type Datum, readDatum, type Symbols, sizeOf } from './datum.js';
import { OperationError } from './operation-error.js';
import { english } from './wire-syntax.js';

/** One mutation, ready to be applied. */
export interface EngineMutation {
  readonly column: string;
  apply(field: Datum): Datum;
}

type Arithmetic = Exclude<Mutator, 'insert' | 'delete'>;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

const INTEGER: { readonly [M in Arithmetic]: (x: bigint, y: bigint) => bigint } = {
  '+=': (x, y) => x + y,
  '-=': (x, y) => x - y,
  '*=': (x, y) => x * y,
  '/=': (x, y) => x / y,
  '%=': (x, y) => x % y,
};

const REAL: { readonly [M in Exclude<Arithmetic, '%='>]: (x: number, y: number) => number } = {
  '+=': (x, y) => x + y,
  '-=': (x, y) => x - y,
  '*=': (x, y) => x * y,
  '/=': (x, y) => x / y,
};

const outOfRange = (mutator: Mutator): OperationError =>
  new OperationError('range error', `Result of "${mutator}" operation is out of range.`);

function mutateAtom(type: ColumnType, mutator: Arithmetic, x: Atom, y: Atom): Atom {
  if (mutator === '/=' || mutator === '%=') {
    if (Number(y) === 0) throw new OperationError('domain error', 'Division by zero.');
  }
  if (type.key.type === 'integer') {
    const big = INTEGER[mutator](BigInt(x as number), BigInt(y as number));
    // The remainder of the smallest integer by -1 overflows where C computes it.
    const overflows = mutator === '%=' && BigInt(x as number) === INT64_MIN && BigInt(y as number) === -1n;
    if (big < INT64_MIN || big > INT64_MAX || overflows) throw outOfRange(mutator);
    const small = Number(big);
    return Number.isSafeInteger(small) ? small : big;
  }
  const real = REAL[mutator as Exclude<Arithmetic, '%='>](x as number, y as number);
  if (!Number.isFinite(real)) throw outOfRange(mutator);
  return real === 0 ? 0 : real;
}

function arithmetic(type: ColumnType, mutator: Arithmetic, field: Datum, operand: Atom): Datum {
  const atoms = (field as readonly Atom[]).map((atom) => mutateAtom(type, mutator, atom, operand));
  checkConstraints(type, atoms);
  if (new Set(atoms).size !== atoms.length) {
    throw new OperationError('constraint violation', `Result of "${mutator}" operation contains duplicates.`);
  }
  return atoms.sort(compareAtoms);
}

function checkCount(type: ColumnType, datum: Datum): Datum {
  const size = sizeOf(datum);
  if (size >= type.min && size <= type.max) return datum;
  throw new OperationError('constraint violation', `Attempted to store ${size} elements in ${english(type)}.`);
}

function insert(field: Datum, argument: Datum): Datum {
  // A key that is there keeps its value (RFC 7047 §5.1).
  if (field instanceof Map) return new Map([...(argument as ReadonlyMap<Atom, Atom>), ...field]);
  return [...new Set([...(field as readonly Atom[]), ...(argument as readonly Atom[])])].sort(compareAtoms);
}

function remove(field: Datum, argument: Datum): Datum {
  if (!(field instanceof Map)) {
    const gone = new Set(argument as readonly Atom[]);
    return (field as readonly Atom[]).filter((atom) => !gone.has(atom));
  }
  if (argument instanceof Map) return new Map([...field].filter(([key, item]) => argument.get(key) !== item));
  const gone = new Set(argument as readonly Atom[]);
  return new Map([...field].filter(([key]) => !gone.has(key)));
}

function readDeleted(type: ColumnType, wire: unknown, symbols: Symbols): Datum {
  const many: ColumnType = { ...type, min: 0, max: Number.POSITIVE_INFINITY };
  if (type.value === undefined) return readDatum(many, wire, symbols);
  if (Array.isArray(wire) && wire[0] === 'map') return readDatum(many, wire, symbols);
  return readDatum({ key: type.key, min: 0, max: Number.POSITIVE_INFINITY }, wire, symbols);
}

function readMutation(table: string, schema: TableSchema, json: unknown, symbols: Symbols): EngineMutation {
  if (!Array.isArray(json) || json.length !== 3 || typeof json[0] !== 'string' || typeof json[1] !== 'string') {
    throw new OperationError('syntax error', 'Parse error in mutation.', json);
  }
  const [column, mutator, wire] = json as [string, Mutator, unknown];
  if (column === '_uuid' || column === '_version') {
    const details = `Cannot mutate immutable column ${column} in table ${table}.`;
    throw new OperationError('constraint violation', details, json);
  }
  const found = schema.columns.get(column);
  if (found === undefined) throw new OperationError('unknown column', `No column ${column} in table ${table}.`, json);
  if (!found.mutable) {
    const details = `Cannot mutate immutable column ${column} in table ${table}.`;
    throw new OperationError('constraint violation', details, json);
  }
  const { type } = found;
  const mismatch = new OperationError(
    'syntax error',
    `Type mismatch: "${mutator}" operator may not be applied to column ${column} of type ${english(type)}.`,
    json,
  );
  const isScalar = type.value === undefined && type.min === 1 && type.max === 1;
  if (mutator === 'insert' || mutator === 'delete') {
    if (isScalar) throw mismatch;
    const argument =
      mutator === 'insert' ? readDatum({ ...type, min: 0 }, wire, symbols) : readDeleted(type, wire, symbols);
    return { column, apply: (field) => checkCount(type, (mutator === 'insert' ? insert : remove)(field, argument)) };
  }
  if (!(mutator in INTEGER)) throw new OperationError('unknown mutator', `No mutator named ${mutator}.`);
  const numeric = type.key.type === 'integer' || (type.key.type === 'real' && mutator !== '%=');
  if (type.value !== undefined || !numeric) throw mismatch;
  const [operand] = readDatum({ key: { type: type.key.type }, min: 1, max: 1 }, wire, symbols) as readonly Atom[];
  return { column, apply: (field) => arithmetic(type, mutator, field, operand as Atom) };
}

/** Reads a list of mutations. Throws OperationError. */
export function readMutations(
  table: string,
  schema: TableSchema,
  json: unknown,
  symbols: Symbols,
): readonly EngineMutation[] {
  if (!Array.isArray(json)) throw new OperationError('syntax error', 'array expected', json);
  return json.map((item) => readMutation(table, schema, item, symbols));
}
