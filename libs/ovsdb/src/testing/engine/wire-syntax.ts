import { isUuid } from '../../notation/uuid.js';
import type { AtomicType, BaseType, ColumnType } from '../../schema/types.js';
import { OperationError } from './operation-error.js';

/** `<id>` (RFC 7047 §3.1). */
export const ID = /^[A-Za-z_][A-Za-z0-9_]*$/;
const UNLIMITED = 4_294_967_295;
const INT64_END = 2n ** 63n;

const syntaxError = (details: string, syntax: unknown): OperationError =>
  new OperationError('syntax error', details, syntax);

function want(holds: boolean, details: string, syntax: unknown): void {
  if (!holds) throw syntaxError(details, syntax);
}

const isInteger = (wire: unknown): boolean =>
  (typeof wire === 'bigint' || (typeof wire === 'number' && Number.isInteger(wire))) &&
  BigInt(wire) >= -INT64_END &&
  BigInt(wire) < INT64_END;

function checkUuid(wire: unknown): void {
  const [kind, text] = Array.isArray(wire) && wire.length === 2 ? wire : [];
  if (kind === 'uuid' && typeof text === 'string') {
    if (!isUuid(text)) throw syntaxError(`"${text}" is not a valid UUID`, wire);
  } else if (kind === 'named-uuid' && typeof text === 'string') {
    if (!ID.test(text)) throw syntaxError('named-uuid string is not a valid <id>', wire);
  } else {
    throw syntaxError('expected ["uuid", <string>]', wire);
  }
}

const CHECK_ATOM: { readonly [T in AtomicType]: (wire: unknown) => void } = {
  integer: (wire) => want(isInteger(wire), 'expected integer', wire),
  real: (wire) => want(typeof wire === 'number' || typeof wire === 'bigint', 'expected real', wire),
  boolean: (wire) => want(typeof wire === 'boolean', 'expected boolean', wire),
  string: (wire) => want(typeof wire === 'string', 'expected string', wire),
  uuid: checkUuid,
};

/** Checks that an atom is written as its type wants. Throws OperationError. */
export function checkAtomSyntax(base: BaseType, wire: unknown): void {
  CHECK_ATOM[base.type](wire);
}

// Counted as written: too many are refused before a faulty atom is.
function checkCount(type: ColumnType, kind: 'set' | 'map', count: number, wire: unknown): void {
  const { min, max } = type;
  if (count >= min && count <= max) return;
  const most = max === Number.POSITIVE_INFINITY ? UNLIMITED : max;
  const wanted = min === 1 && max === 1 ? 'exactly one member' : `${min} to ${most} members`;
  throw syntaxError(`${kind} must have ${wanted} but ${count} are present`, wire);
}

/** Checks notation and number of elements of a value, with the words of ovsdb-server. Throws OperationError. */
export function checkSyntax(type: ColumnType, wire: unknown): void {
  const elements = Array.isArray(wire) && wire.length === 2 && Array.isArray(wire[1]) ? wire[1] : undefined;
  if (type.value !== undefined) {
    if (elements === undefined || (wire as unknown[])[0] !== 'map')
      throw syntaxError('expected ["map", <array>]', wire);
    checkCount(type, 'map', elements.length, wire);
    for (const pair of elements) {
      if (!Array.isArray(pair) || pair.length !== 2) throw syntaxError('expected 2-element array', pair);
      checkAtomSyntax(type.key, pair[0]);
      checkAtomSyntax(type.value, pair[1]);
    }
    return;
  }
  if (!Array.isArray(wire) || wire[0] !== 'set') {
    checkAtomSyntax(type.key, wire);
    checkCount(type, 'set', 1, wire);
    return;
  }
  if (elements === undefined) throw syntaxError('expected ["set", <array>]', wire);
  checkCount(type, 'set', elements.length, wire);
  for (const element of elements) checkAtomSyntax(type.key, element);
}

/** A type in the words of ovsdb-server. */
export function english({ key, value, min, max }: ColumnType): string {
  if (min === 1 && max === 1 && value === undefined) return key.type;
  if (max === 1 && value === undefined) return `optional ${key.type}`;
  const bounds =
    max === Number.POSITIVE_INFINITY
      ? min === 0
        ? ''
        : `${min} or more `
      : min === 0
        ? `up to ${max} `
        : `${min} to ${max} `;
  return value === undefined ? `set of ${bounds}${key.type}s` : `map of ${bounds}(${key.type}, ${value.type}) pairs`;
}
