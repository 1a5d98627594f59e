import { NotationError } from '../errors.js';
import type { AtomicType, BaseType, ColumnType } from '../schema/types.js';
import { isObject } from './json.js';
import { isUuid, Ref, ZERO_UUID } from './uuid.js';
import type { WireAtom, WireValue } from './wire.js';

/** One atom as a TypeScript value. A uuid is its text; an integer beyond 2^53 is a bigint. */
export type Atom = string | number | bigint | boolean;

/**
 * One column as a TypeScript value: a scalar is its atom, an optional scalar may be undefined, a larger set is an array
 * sorted and without duplicates, a map is a ReadonlyMap.
 */
export type Value = Atom | undefined | readonly Atom[] | ReadonlyMap<Atom, Atom>;

/** A set or map that holds an atom or key twice. */
export class DuplicateError extends NotationError {}

const EMPTY_SET: readonly Atom[] = Object.freeze([]);
const EMPTY_MAP: ReadonlyMap<Atom, Atom> = new Map();

/** How a column's values are shaped in TypeScript. */
export type ValueShape = 'scalar' | 'optional' | 'set' | 'map';

/** The shape of a type's values. */
export function shapeOf(type: ColumnType): ValueShape {
  if (type.value !== undefined) return 'map';
  if (type.max > 1) return 'set';
  return type.min === 1 ? 'scalar' : 'optional';
}

/** Order of atoms of one type, as ovsdb-server sorts them: numbers by size, others by their text. */
export function compareAtoms(a: Atom, b: Atom): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

function fail(path: string, want: string, got: unknown): never {
  const text = typeof got === 'bigint' ? got.toString() : (JSON.stringify(got) ?? String(got));
  throw new NotationError(path, `want ${want}, got ${text.length > 80 ? `${text.slice(0, 80)}…` : text}`);
}

const READ_ATOM: { readonly [T in AtomicType]: (wire: unknown, path: string) => Atom } = {
  integer: (wire, path) => {
    if (typeof wire === 'number' && Number.isSafeInteger(wire)) return wire;
    // Written with an exponent, as 1e17.
    if (typeof wire === 'number' && Number.isInteger(wire) && Math.abs(wire) < 2 ** 63) return BigInt(wire);
    if (typeof wire === 'bigint' && wire >= INT64_MIN && wire <= INT64_MAX) return wire;
    return fail(path, 'an integer', wire);
  },
  real: (wire, path) =>
    typeof wire === 'number' ? wire : typeof wire === 'bigint' ? Number(wire) : fail(path, 'a number', wire),
  boolean: (wire, path) => (typeof wire === 'boolean' ? wire : fail(path, 'a boolean', wire)),
  string: (wire, path) => (typeof wire === 'string' ? wire : fail(path, 'a string', wire)),
  uuid: (wire, path) =>
    Array.isArray(wire) && wire.length === 2 && wire[0] === 'uuid' && typeof wire[1] === 'string' && isUuid(wire[1])
      ? wire[1]
      : fail(path, '["uuid", …]', wire),
};

const WRITE_ATOM: { readonly [T in AtomicType]: (atom: unknown, path: string) => WireAtom } = {
  integer: (atom, path) => {
    if (typeof atom === 'number' && Number.isSafeInteger(atom)) return atom;
    if (typeof atom === 'bigint' && atom >= INT64_MIN && atom <= INT64_MAX) return atom;
    return fail(path, 'an integer (a bigint beyond 2^53)', atom);
  },
  real: (atom, path) =>
    typeof atom === 'number' && Number.isFinite(atom) ? atom : fail(path, 'a finite number', atom),
  boolean: (atom, path) => (typeof atom === 'boolean' ? atom : fail(path, 'a boolean', atom)),
  string: (atom, path) => (typeof atom === 'string' ? atom : fail(path, 'a string', atom)),
  uuid: (atom, path) => {
    if (atom instanceof Ref) return ['named-uuid', atom.name];
    return typeof atom === 'string' && isUuid(atom) ? ['uuid', atom] : fail(path, 'a UUID or a Ref', atom);
  },
};

/** The atom that a column without a value holds (RFC 7047 §5.2.1): 0, 0.0, false, "" or the zero UUID. */
export function defaultAtom(base: BaseType): Atom {
  const byType: { readonly [T in AtomicType]: Atom } = {
    integer: 0,
    real: 0,
    boolean: false,
    string: '',
    uuid: ZERO_UUID,
  };
  return byType[base.type];
}

/** The value that an insert gives to a column that it does not name. */
export function defaultValue(type: ColumnType): Value {
  const byShape: { readonly [S in ValueShape]: () => Value } = {
    scalar: () => defaultAtom(type.key),
    optional: () => undefined,
    set: () => (type.min === 0 ? EMPTY_SET : [defaultAtom(type.key)]),
    map: () =>
      type.min === 0 || type.value === undefined
        ? EMPTY_MAP
        : new Map([[defaultAtom(type.key), defaultAtom(type.value)]]),
  };
  return byShape[shapeOf(type)]();
}

function wireAtoms(wire: unknown, path: string): readonly unknown[] {
  if (Array.isArray(wire) && wire[0] === 'set') {
    return wire.length === 2 && Array.isArray(wire[1]) ? wire[1] : fail(path, '["set", […]]', wire);
  }
  return [wire];
}

function sortedUnique(atoms: Atom[], path: string): readonly Atom[] {
  if (atoms.length === 0) return EMPTY_SET;
  let sorted = true;
  for (let i = 1; i < atoms.length; i++) {
    const order = compareAtoms(atoms[i - 1] as Atom, atoms[i] as Atom);
    if (order === 0) throw new DuplicateError(path, 'set contains a duplicate');
    if (order > 0) sorted = false;
  }
  if (sorted) return atoms;
  atoms.sort(compareAtoms);
  for (let i = 1; i < atoms.length; i++) {
    if (atoms[i - 1] === atoms[i]) throw new DuplicateError(path, 'set contains a duplicate');
  }
  return atoms;
}

function readMap(type: ColumnType, value: BaseType, wire: unknown, path: string): ReadonlyMap<Atom, Atom> {
  if (!Array.isArray(wire) || wire.length !== 2 || !Array.isArray(wire[1])) return fail(path, '["map", […]]', wire);
  if (wire[0] !== 'map') return fail(path, '["map", […]]', wire);
  if (wire[1].length === 0) return EMPTY_MAP;
  const map = new Map<Atom, Atom>();
  const readKey = READ_ATOM[type.key.type];
  const readValue = READ_ATOM[value.type];
  for (const pair of wire[1]) {
    if (!Array.isArray(pair) || pair.length !== 2) return fail(path, 'a pair', pair);
    const key = readKey(pair[0], path);
    if (map.has(key)) throw new DuplicateError(path, `map contains the key ${JSON.stringify(key)} twice`);
    map.set(key, readValue(pair[1], path));
  }
  return map;
}

/**
 * Reads a `<value>` of a known type. Types are checked, the schema's constraints (enum, ranges) are not: the server holds
 * them. Throws NotationError.
 */
export function decodeValue(type: ColumnType, wire: unknown, path = 'value'): Value {
  if (type.value !== undefined) return readMap(type, type.value, wire, path);
  const readAtom = READ_ATOM[type.key.type];
  if (type.max === 1 && type.min === 1 && !(Array.isArray(wire) && wire[0] === 'set')) return readAtom(wire, path);
  const atoms = wireAtoms(wire, path);
  if (type.max === 1) {
    if (atoms.length > 1 || (atoms.length === 0 && type.min === 1)) return fail(path, 'at most one atom', wire);
    return atoms.length === 0 ? undefined : readAtom(atoms[0], path);
  }
  return sortedUnique(
    atoms.map((atom) => readAtom(atom, path)),
    path,
  );
}

function mapEntries(value: unknown, path: string): readonly (readonly [unknown, unknown])[] {
  if (value instanceof Map) return [...value];
  if (isObject(value)) return Object.entries(value).filter(([, item]) => item !== undefined);
  return fail(path, 'a Map or an object', value);
}

/**
 * Writes a value of a known type as a `<value>`. Takes what decodeValue gives, and Refs in place of UUIDs, and plain
 * objects in place of maps with string keys. Throws NotationError when the value has another type.
 */
export function encodeValue(type: ColumnType, value: unknown, path = 'value'): WireValue {
  const writeKey = WRITE_ATOM[type.key.type];
  if (type.value !== undefined) {
    const writeValue = WRITE_ATOM[type.value.type];
    return ['map', mapEntries(value, path).map(([k, v]) => [writeKey(k, path), writeValue(v, path)] as const)];
  }
  if (Array.isArray(value)) return ['set', value.map((atom) => writeKey(atom, path))];
  if (value === undefined && type.min === 0) return ['set', []];
  if (type.max > 1) return fail(path, 'an array', value);
  return writeKey(value, path);
}

/** Whether two values of one type are equal. */
export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((atom, i) => atom === b[i]);
  }
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false;
    for (const [key, item] of a) if (b.get(key) !== item) return false;
    return true;
  }
  return false;
}

/**
 * Applies the difference that `update2` and `update3` carry for a modified column (ovsdb-server(7) §4.1.14): a scalar is
 * replaced; in a set each atom of the difference is toggled; in a map a pair that stands there is removed, another is set.
 */
export function applyDifference(type: ColumnType, before: Value, difference: Value): Value {
  if (type.max === 1) return difference;
  if (difference instanceof Map) {
    const map = new Map(before as ReadonlyMap<Atom, Atom>);
    for (const [key, item] of difference as ReadonlyMap<Atom, Atom>) {
      if (map.get(key) === item) map.delete(key);
      else map.set(key, item);
    }
    return map.size === 0 ? EMPTY_MAP : map;
  }
  const set = new Set(before as readonly Atom[]);
  for (const atom of difference as readonly Atom[]) if (!set.delete(atom)) set.add(atom);
  return set.size === 0 ? EMPTY_SET : [...set].sort(compareAtoms);
}
