import type { Uuid } from '../../notation/uuid.js';
import { type Atom, compareAtoms, DuplicateError, decodeValue, defaultAtom } from '../../notation/value.js';
import type { WireAtom, WireValue } from '../../notation/wire.js';
import type { BaseType, ColumnType } from '../../schema/types.js';
import { OperationError } from './operation-error.js';
import { checkSyntax } from './wire-syntax.js';

/** A column's value, the same for all shapes: a sorted array, or a map. */
export type Datum = readonly Atom[] | ReadonlyMap<Atom, Atom>;

/** Named UUIDs of one transaction; a name that is not known yet gets its UUID at its first use. */
export type Symbols = (name: string) => Uuid;

const EMPTY: readonly Atom[] = [];

export function sizeOf(datum: Datum): number {
  return datum instanceof Map ? datum.size : (datum as readonly Atom[]).length;
}

export function keysOf(datum: Datum): readonly Atom[] {
  return datum instanceof Map ? [...datum.keys()] : (datum as readonly Atom[]);
}

/** The type of a datum with any number of elements: decodeValue then gives an array or a map. */
function loose(type: ColumnType): ColumnType {
  return { ...type, min: 0, max: Number.POSITIVE_INFINITY };
}

function resolveNames(wire: unknown, symbols: Symbols): unknown {
  if (!Array.isArray(wire)) return wire;
  if (wire.length === 2 && wire[0] === 'named-uuid' && typeof wire[1] === 'string') return ['uuid', symbols(wire[1])];
  return wire.map((item) => resolveNames(item, symbols));
}

/** The default of a column (RFC 7047 §5.2.1). */
export function defaultDatum(type: ColumnType): Datum {
  if (type.value !== undefined) {
    return type.min === 0 ? new Map() : new Map([[defaultAtom(type.key), defaultAtom(type.value)]]);
  }
  return type.min === 0 ? EMPTY : [defaultAtom(type.key)];
}

// Open vSwitch writes plain words without quotes.
const WORD = /^(?!(true|false)$)[A-Za-z_][A-Za-z0-9_.-]*$/;

function atomText(atom: Atom): string {
  return typeof atom === 'string' && !WORD.test(atom) ? JSON.stringify(atom) : String(atom);
}

function checkRange(atom: Atom, low: Atom | undefined, high: Atom | undefined, what: string): void {
  if (low !== undefined && high !== undefined && (atom < low || atom > high)) {
    throw new OperationError('constraint violation', `${what} is not in the valid range ${low} to ${high} (inclusive)`);
  }
  if (low !== undefined && atom < low) {
    throw new OperationError('constraint violation', `${what} is less than minimum allowed value ${low}`);
  }
  if (high !== undefined && atom > high) {
    throw new OperationError('constraint violation', `${what} is greater than maximum allowed value ${high}`);
  }
}

function checkLength(text: string, base: BaseType): void {
  const length = [...text].length;
  if (base.minLength !== undefined && length < base.minLength) {
    const details = `"${text}" length ${length} is less than minimum allowed length ${base.minLength}`;
    throw new OperationError('constraint violation', details);
  }
  if (base.maxLength !== undefined && length > base.maxLength) {
    const details = `"${text}" length ${length} is greater than maximum allowed length ${base.maxLength}`;
    throw new OperationError('constraint violation', details);
  }
}

function checkAtom(atom: Atom, base: BaseType): void {
  if (base.enum !== undefined) {
    if (base.enum.includes(atom)) return;
    const allowed = [...base.enum].sort(compareAtoms).map(atomText);
    const details = `${atomText(atom)} is not one of the allowed values ([${allowed.join(', ')}])`;
    throw new OperationError('constraint violation', details);
  }
  if (base.type === 'integer') checkRange(atom, base.minInteger, base.maxInteger, atomText(atom));
  if (base.type === 'real') checkRange(atom, base.minReal, base.maxReal, atomText(atom));
  if (base.type === 'string') checkLength(atom as string, base);
}

/** Checks enum, ranges and lengths of every atom. Throws OperationError. */
export function checkConstraints(type: ColumnType, datum: Datum): void {
  for (const key of keysOf(datum)) checkAtom(key, type.key);
  if (type.value !== undefined)
    for (const item of (datum as ReadonlyMap<Atom, Atom>).values()) checkAtom(item, type.value);
}

/** Reads a value and checks its number of elements and its constraints. Throws OperationError. */
export function readDatum(type: ColumnType, wire: unknown, symbols: Symbols): Datum {
  checkSyntax(type, wire);
  let datum: Datum;
  try {
    datum = decodeValue(loose(type), resolveNames(wire, symbols)) as Datum;
  } catch (error) {
    if (!(error instanceof DuplicateError)) throw error;
    // Open vSwitch has no error string of its own for these.
    throw new OperationError(
      'ovsdb error',
      `${type.value === undefined ? 'set' : 'map'} contains duplicate${type.value === undefined ? '' : ' key'}`,
    );
  }
  checkConstraints(type, datum);
  return datum;
}

function writeAtom(base: BaseType, atom: Atom): WireAtom {
  return base.type === 'uuid' ? ['uuid', atom as string] : atom;
}

/** Writes a value as the server does: a set of one as its atom, everything in order. */
export function writeDatum(type: ColumnType, datum: Datum): WireValue {
  if (type.value !== undefined) {
    const value = type.value;
    const pairs = [...(datum as ReadonlyMap<Atom, Atom>)].sort(([a], [b]) => compareAtoms(a, b));
    return ['map', pairs.map(([k, v]) => [writeAtom(type.key, k), writeAtom(value, v)] as const)];
  }
  const atoms = (datum as readonly Atom[]).map((atom) => writeAtom(type.key, atom));
  return atoms.length === 1 ? (atoms[0] as WireAtom) : ['set', atoms];
}

/** A text that is equal for equal data of one type. */
export function datumKey(datum: Datum): string {
  const plain = (atom: Atom): string => (typeof atom === 'string' ? JSON.stringify(atom) : String(atom));
  if (!(datum instanceof Map)) return (datum as readonly Atom[]).map(plain).join();
  const entries = [...(datum as ReadonlyMap<Atom, Atom>)].sort(([a], [b]) => compareAtoms(a, b));
  return entries.map(([k, v]) => `${plain(k)}=${plain(v)}`).join();
}

export function includesAll(field: Datum, wanted: Datum): boolean {
  if (field instanceof Map) return [...(wanted as ReadonlyMap<Atom, Atom>)].every(([k, v]) => field.get(k) === v);
  const held = new Set(field as readonly Atom[]);
  return (wanted as readonly Atom[]).every((atom) => held.has(atom));
}

export function excludesAll(field: Datum, unwanted: Datum): boolean {
  if (field instanceof Map) return [...(unwanted as ReadonlyMap<Atom, Atom>)].every(([k, v]) => field.get(k) !== v);
  const held = new Set(field as readonly Atom[]);
  return (unwanted as readonly Atom[]).every((atom) => !held.has(atom));
}
