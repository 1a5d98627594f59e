import { NotationError } from '../errors.js';
import { expectArray, expectObject, expectString, isObject, type JsonObject } from '../notation/json.js';
import type { AtomicType, BaseType, ColumnSchema, ColumnType, DatabaseSchema, TableSchema } from './types.js';

const ATOMIC: ReadonlySet<string> = new Set<AtomicType>(['integer', 'real', 'boolean', 'string', 'uuid']);
const MAX_LENGTH = 0xffff_ffff;
const ID = /^[A-Za-z_][A-Za-z0-9_]*$/;

// Which constraints a base type may carry (RFC 7047 §3.2 <base-type>).
const CONSTRAINTS: { readonly [T in AtomicType]: readonly string[] } = {
  integer: ['minInteger', 'maxInteger'],
  real: ['minReal', 'maxReal'],
  boolean: [],
  string: ['minLength', 'maxLength'],
  uuid: ['refTable', 'refType'],
};

function onlyMembers(object: JsonObject, allowed: readonly string[], path: string): void {
  for (const name of Object.keys(object)) {
    if (!allowed.includes(name)) throw new NotationError(path, `unexpected member "${name}"`);
  }
}

function parseAtomicType(value: unknown, path: string): AtomicType {
  if (typeof value !== 'string' || !ATOMIC.has(value)) {
    throw new NotationError(path, `${JSON.stringify(value)} is not an atomic type`);
  }
  return value as AtomicType;
}

function parseEnum(value: unknown, type: AtomicType, path: string): NonNullable<BaseType['enum']> {
  const isSet = Array.isArray(value) && value[0] === 'set';
  const atoms = isSet ? expectArray(value[1], path) : [value];
  if (atoms.length === 0) throw new NotationError(path, 'an enum needs at least one value');
  return atoms.map((atom, i) => {
    const raw = type === 'uuid' && Array.isArray(atom) ? atom[1] : atom;
    const ok =
      type === 'integer' || type === 'real'
        ? typeof raw === 'number' || typeof raw === 'bigint'
        : type === 'boolean'
          ? typeof raw === 'boolean'
          : typeof raw === 'string';
    if (!ok) throw new NotationError(`${path}[${i}]`, `not of type ${type}`);
    return raw as string | number | bigint | boolean;
  });
}

function numberMember(object: JsonObject, name: string, path: string): number | bigint | undefined {
  const value = object[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' && typeof value !== 'bigint')
    throw new NotationError(`${path}.${name}`, 'want a number');
  return value;
}

/** Parses a `<base-type>`. Throws NotationError with the path of the fault. */
export function parseBaseType(value: unknown, path = 'base type'): BaseType {
  if (typeof value === 'string') return { type: parseAtomicType(value, path) };
  const object = expectObject(value, path);
  const type = parseAtomicType(object.type, `${path}.type`);
  onlyMembers(object, object.enum === undefined ? ['type', ...CONSTRAINTS[type]] : ['type', 'enum'], path);
  const base: { -readonly [K in keyof BaseType]: BaseType[K] } = { type };
  if (object.enum !== undefined) base.enum = parseEnum(object.enum, type, `${path}.enum`);
  for (const [lowName, highName] of [
    ['minInteger', 'maxInteger'],
    ['minReal', 'maxReal'],
    ['minLength', 'maxLength'],
  ] as const) {
    const low = numberMember(object, lowName, path);
    const high = numberMember(object, highName, path);
    if (low !== undefined && high !== undefined && low > high)
      throw new NotationError(path, `${lowName} exceeds ${highName}`);
    const lengths = lowName === 'minLength' ? [low, high] : [];
    if (lengths.some((length) => length !== undefined && (length < 0 || length > MAX_LENGTH))) {
      throw new NotationError(path, `length out of valid range 0 to ${MAX_LENGTH}`);
    }
    if (low !== undefined) Object.assign(base, { [lowName]: low });
    if (high !== undefined) Object.assign(base, { [highName]: high });
  }
  if (object.refTable !== undefined) {
    base.refTable = expectString(object.refTable, `${path}.refTable`);
    const kind = object.refType ?? 'strong';
    if (kind !== 'strong' && kind !== 'weak') throw new NotationError(`${path}.refType`, 'want "strong" or "weak"');
    base.refType = kind;
  } else if (object.refType !== undefined) {
    throw new NotationError(`${path}.refType`, 'only with refTable');
  }
  return base;
}

/** Parses a `<type>`. Throws NotationError with the path of the fault. */
export function parseColumnType(value: unknown, path = 'type'): ColumnType {
  if (typeof value === 'string') return { key: parseBaseType(value, path), min: 1, max: 1 };
  const object = expectObject(value, path);
  onlyMembers(object, ['key', 'value', 'min', 'max'], path);
  const key = parseBaseType(object.key, `${path}.key`);
  const min = object.min ?? 1;
  if (min !== 0 && min !== 1) throw new NotationError(`${path}.min`, 'want 0 or 1');
  const rawMax = object.max ?? 1;
  const max = rawMax === 'unlimited' ? Number.POSITIVE_INFINITY : rawMax;
  if (typeof max !== 'number' || max < 1 || max < min || (max !== Number.POSITIVE_INFINITY && !Number.isInteger(max))) {
    throw new NotationError(`${path}.max`, 'want an integer of at least 1, or "unlimited"');
  }
  return object.value === undefined
    ? { key, min, max }
    : { key, value: parseBaseType(object.value, `${path}.value`), min, max };
}

function booleanMember(object: JsonObject, name: string, fallback: boolean, path: string): boolean {
  const value = object[name] ?? fallback;
  if (typeof value !== 'boolean') throw new NotationError(`${path}.${name}`, 'want a boolean');
  return value;
}

/** Parses a `<column-schema>`. Throws NotationError with the path of the fault. */
export function parseColumnSchema(value: unknown, path = 'column'): ColumnSchema {
  const object = expectObject(value, path);
  onlyMembers(object, ['type', 'ephemeral', 'mutable'], path);
  return {
    type: parseColumnType(object.type, `${path}.type`),
    ephemeral: booleanMember(object, 'ephemeral', false, path),
    mutable: booleanMember(object, 'mutable', true, path),
  };
}

function checkId(name: string, path: string): void {
  if (!ID.test(name)) throw new NotationError(path, 'not an <id>');
  if (name.startsWith('_')) throw new NotationError(path, 'names that begin with _ are reserved');
}

/**
 * Parses a `<table-schema>`. `rootByDefault` is what isRoot means where it is absent: true in a schema in which no
 * table says isRoot (RFC 7047 §3.2). Throws NotationError with the path of the fault.
 */
export function parseTableSchema(value: unknown, path = 'table', rootByDefault = false): TableSchema {
  const object = expectObject(value, path);
  onlyMembers(object, ['columns', 'maxRows', 'isRoot', 'indexes'], path);
  const columns = new Map<string, ColumnSchema>();
  for (const [name, column] of Object.entries(expectObject(object.columns, `${path}.columns`))) {
    checkId(name, `${path}.columns.${name}`);
    columns.set(name, parseColumnSchema(column, `${path}.columns.${name}`));
  }
  if (columns.size === 0) throw new NotationError(path, 'table must have at least one column');
  const maxRows = object.maxRows ?? Number.POSITIVE_INFINITY;
  if (typeof maxRows !== 'number' || maxRows < 1) throw new NotationError(`${path}.maxRows`, 'want at least 1');
  const indexes = expectArray(object.indexes ?? [], `${path}.indexes`).map((raw, i) => {
    const names = expectArray(raw, `${path}.indexes[${i}]`).map((n) => expectString(n, `${path}.indexes[${i}]`));
    if (names.length === 0) throw new NotationError(`${path}.indexes[${i}]`, 'an index needs a column');
    for (const name of names) {
      const column = columns.get(name);
      if (column === undefined) throw new NotationError(`${path}.indexes[${i}]`, `no column "${name}"`);
      // Ephemeral values are gone after a restart, so they cannot be promised to be unique.
      if (column.ephemeral) throw new NotationError(`${path}.indexes[${i}]`, `column "${name}" is ephemeral`);
    }
    return names;
  });
  return { columns, maxRows, isRoot: booleanMember(object, 'isRoot', rootByDefault, path), indexes };
}

// A weak reference goes when its target goes, so its column cannot be immutable. A strong reference to a row that only
// references keep must survive a restart, so its column cannot be ephemeral. The server corrects both silently.
function withUsableReferences(
  { columns }: TableSchema,
  tables: ReadonlyMap<string, TableSchema>,
): ReadonlyMap<string, ColumnSchema> {
  return new Map(
    [...columns].map(([name, column]) => {
      const bases = [column.type.key, column.type.value].filter((base) => base?.refTable !== undefined);
      const weak = bases.some((base) => base?.refType === 'weak');
      const keeps = bases.some(
        (base) => base?.refType === 'strong' && tables.get(base.refTable ?? '')?.isRoot === false,
      );
      return [name, { ...column, mutable: column.mutable || weak, ephemeral: column.ephemeral && !keeps }];
    }),
  );
}

/** Parses a `<database-schema>`, for example the answer of get_schema. Throws NotationError with the path of the fault. */
export function parseDatabaseSchema(value: unknown): DatabaseSchema {
  const object = expectObject(value, 'schema');
  onlyMembers(object, ['name', 'version', 'cksum', 'tables'], 'schema');
  const name = expectString(object.name, 'schema.name');
  // Unlike tables and columns, a database may begin with _: such are the server's own.
  if (!ID.test(name)) throw new NotationError('schema.name', 'not an <id>');
  const raw = expectObject(object.tables, 'schema.tables');
  const someRoot = Object.values(raw).some((table) => isObject(table) && table.isRoot === true);
  const tables = new Map<string, TableSchema>();
  for (const [table, schema] of Object.entries(raw)) {
    checkId(table, `schema.tables.${table}`);
    const parsed = parseTableSchema(schema, `schema.tables.${table}`);
    tables.set(table, someRoot ? parsed : { ...parsed, isRoot: true });
  }
  for (const [table, { columns }] of tables) {
    for (const [column, { type }] of columns) {
      for (const base of [type.key, type.value]) {
        if (base?.refTable !== undefined && !tables.has(base.refTable)) {
          throw new NotationError(
            `schema.tables.${table}.columns.${column}`,
            `no table "${base.refTable}" to refer to`,
          );
        }
      }
    }
  }
  for (const [table, schema] of tables) tables.set(table, { ...schema, columns: withUsableReferences(schema, tables) });
  return {
    name,
    version: object.version === undefined ? undefined : expectString(object.version, 'schema.version'),
    cksum: object.cksum === undefined ? undefined : expectString(object.cksum, 'schema.cksum'),
    tables,
  };
}
