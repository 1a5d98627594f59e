import { compareAtoms } from '../notation/value.js';
import type { BaseType, ColumnSchema, ColumnType, DatabaseSchema, TableSchema } from './types.js';

/** Members that are left out where they say what is so anyway. */
type Members = { readonly [name: string]: unknown };

function present(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** Writes a `<base-type>` in its shortest form. */
export function formatBaseType(base: BaseType): unknown {
  const { type, enum: values, refType, ...constraints } = base;
  const wire = (atom: string | number | bigint | boolean): unknown => (type === 'uuid' ? ['uuid', atom] : atom);
  const sorted = values === undefined ? undefined : [...values].sort(compareAtoms).map(wire);
  const members = present({
    type,
    enum: sorted === undefined ? undefined : sorted.length === 1 ? sorted[0] : ['set', sorted],
    refType: refType === 'weak' ? 'weak' : undefined,
    ...constraints,
  });
  return Object.keys(members).length === 1 ? type : members;
}

/** Writes a `<type>` in its shortest form. */
export function formatColumnType({ key, value, min, max }: ColumnType): unknown {
  const members = present({
    key: formatBaseType(key),
    value: value === undefined ? undefined : formatBaseType(value),
    min: min === 1 ? undefined : min,
    max: max === 1 ? undefined : max === Number.POSITIVE_INFINITY ? 'unlimited' : max,
  });
  return Object.keys(members).length === 1 && typeof members.key === 'string' ? members.key : members;
}

/** Writes a `<column-schema>` in its shortest form. */
export function formatColumnSchema({ type, ephemeral, mutable }: ColumnSchema): unknown {
  return present({
    type: formatColumnType(type),
    ephemeral: ephemeral || undefined,
    mutable: mutable ? undefined : false,
  });
}

/** Writes a `<table-schema>` in its shortest form. `rootByDefault` is what the absence of isRoot means. */
export function formatTableSchema({ columns, maxRows, isRoot, indexes }: TableSchema, rootByDefault = false): unknown {
  return present({
    columns: Object.fromEntries([...columns].map(([name, column]) => [name, formatColumnSchema(column)])),
    maxRows: maxRows === Number.POSITIVE_INFINITY ? undefined : maxRows,
    isRoot: isRoot && !rootByDefault ? true : undefined,
    indexes: indexes.length === 0 ? undefined : indexes,
  });
}

/** Writes a `<database-schema>` in its shortest form. */
export function formatDatabaseSchema({ name, version, cksum, tables }: DatabaseSchema): unknown {
  // A schema in which no table says isRoot is one in which all are roots (RFC 7047 §3.2).
  const allRoot = [...tables.values()].every((table) => table.isRoot);
  return present({
    name,
    version,
    cksum,
    tables: Object.fromEntries([...tables].map(([table, schema]) => [table, formatTableSchema(schema, allRoot)])),
  });
}
