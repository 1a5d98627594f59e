/** `<atom>` as it stands in JSON (RFC 7047 §5.1). An integer beyond 2^53 is a bigint. */
export type WireAtom = number | bigint | boolean | string | readonly ['uuid', string] | readonly ['named-uuid', string];

/** `<value>` as it stands in JSON: an atom, a set or a map (RFC 7047 §5.1). A set of exactly one may be written as its atom. */
export type WireValue =
  | WireAtom
  | readonly ['set', readonly WireAtom[]]
  | readonly ['map', readonly (readonly [WireAtom, WireAtom])[]];

/** `<row>`: column name to value. */
export type WireRow = { readonly [column: string]: WireValue };

/** Functions of a `<condition>` (RFC 7047 §5.1). */
export type ConditionFunction = '<' | '<=' | '==' | '!=' | '>=' | '>' | 'includes' | 'excludes';

/** `<condition>`: column, function, value. ovsdb-server also takes plain `true` and `false`. */
export type WireCondition = readonly [column: string, fn: ConditionFunction, value: WireValue] | boolean;

/** Mutators (RFC 7047 §5.1). */
export type Mutator = '+=' | '-=' | '*=' | '/=' | '%=' | 'insert' | 'delete';

/** `<mutation>`: column, mutator, value. */
export type WireMutation = readonly [column: string, mutator: Mutator, value: WireValue];

/** One operation of a transaction, as it stands in JSON (RFC 7047 §5.2). */
export type Operation =
  | {
      readonly op: 'insert';
      readonly table: string;
      readonly row: WireRow;
      readonly 'uuid-name'?: string;
      readonly uuid?: string;
    }
  | {
      readonly op: 'select';
      readonly table: string;
      readonly where: readonly WireCondition[];
      readonly columns?: readonly string[];
    }
  | { readonly op: 'update'; readonly table: string; readonly where: readonly WireCondition[]; readonly row: WireRow }
  | {
      readonly op: 'mutate';
      readonly table: string;
      readonly where: readonly WireCondition[];
      readonly mutations: readonly WireMutation[];
    }
  | { readonly op: 'delete'; readonly table: string; readonly where: readonly WireCondition[] }
  | {
      readonly op: 'wait';
      /** Milliseconds; absent means for ever. */
      readonly timeout?: number;
      readonly table: string;
      readonly where: readonly WireCondition[];
      readonly columns?: readonly string[];
      readonly until: '==' | '!=';
      readonly rows: readonly WireRow[];
    }
  | { readonly op: 'commit'; readonly durable: boolean }
  | { readonly op: 'abort' }
  | { readonly op: 'comment'; readonly comment: string }
  | { readonly op: 'assert'; readonly lock: string };

/** The server's answer to one operation that succeeded (RFC 7047 §5.2). Which members are there depends on the operation. */
export interface OperationResult {
  /** Rows matched: update, mutate, delete. */
  readonly count?: number;
  /** The new row: insert. */
  readonly uuid?: readonly ['uuid', string];
  /** Rows found: select. */
  readonly rows?: readonly WireRow[];
}
