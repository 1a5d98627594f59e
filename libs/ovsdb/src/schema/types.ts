/** `<atomic-type>` (RFC 7047 §3.2). */
export type AtomicType = 'integer' | 'real' | 'boolean' | 'string' | 'uuid';

/** `<base-type>` (RFC 7047 §3.2): an atomic type with its constraints. */
export interface BaseType {
  readonly type: AtomicType;
  /** The only allowed values, if the schema lists them. */
  readonly enum?: readonly (string | number | bigint | boolean)[];
  readonly minInteger?: number | bigint;
  readonly maxInteger?: number | bigint;
  readonly minReal?: number;
  readonly maxReal?: number;
  /** In Unicode code points. */
  readonly minLength?: number;
  readonly maxLength?: number;
  /** The table that a uuid points into. */
  readonly refTable?: string;
  /** A strong reference keeps its target and must not dangle; a weak one disappears with its target. */
  readonly refType?: 'strong' | 'weak';
}

/** `<type>` (RFC 7047 §3.2): a scalar is min 1 max 1, an optional scalar min 0 max 1, a map has a `value`. */
export interface ColumnType {
  readonly key: BaseType;
  readonly value?: BaseType;
  readonly min: 0 | 1;
  /** Infinity stands for "unlimited". */
  readonly max: number;
}

/** `<column-schema>`. */
export interface ColumnSchema {
  readonly type: ColumnType;
  /** The value need not survive a restart of the server. */
  readonly ephemeral: boolean;
  /** False: the value is fixed by the insert. */
  readonly mutable: boolean;
}

/** `<table-schema>`. */
export interface TableSchema {
  readonly columns: ReadonlyMap<string, ColumnSchema>;
  /** Infinity where the schema has no limit. */
  readonly maxRows: number;
  /** False: a row without a strong reference to it is deleted at commit. */
  readonly isRoot: boolean;
  /** Sets of columns whose values together are unique in the table. */
  readonly indexes: readonly (readonly string[])[];
}

/** `<database-schema>` (RFC 7047 §3.2). */
export interface DatabaseSchema {
  readonly name: string;
  readonly version: string | undefined;
  readonly cksum: string | undefined;
  readonly tables: ReadonlyMap<string, TableSchema>;
}
