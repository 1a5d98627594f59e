import { NotationError } from '../errors.js';

/** A JSON object after parsing. */
export type JsonObject = { readonly [name: string]: unknown };

/** Whether a parsed JSON value is an object (not null, not an array). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as a JSON object, or NotationError. */
export function expectObject(value: unknown, path: string): JsonObject {
  if (!isObject(value)) throw new NotationError(path, 'want an object');
  return value;
}

/** The value as a JSON array, or NotationError. */
export function expectArray(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new NotationError(path, 'want an array');
  return value;
}

/** The value as a string, or NotationError. */
export function expectString(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new NotationError(path, 'want a string');
  return value;
}

interface JsonWithSource {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
}
const json = JSON as unknown as JsonWithSource;

// 16 digits in a row outside a string: the only texts whose integers may lie beyond 2^53.
const LONG_NUMBER = /[[,:\s-]\d{16}/;
const INTEGER = /^-?\d+$/;

/** JSON.parse that keeps integers beyond 2^53 exact, as bigint. Other texts pay one search only. */
export function parseJson(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  return json.parse(text, (_key, value, context) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
    const source = context.source;
    return source !== undefined && INTEGER.test(source) ? BigInt(source) : value;
  });
}

/** JSON.stringify that writes a bigint as an integer. */
export function formatJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // Only a bigint makes our values fail; a replacer on every message would cost far more than this.
    if (!(error instanceof TypeError)) throw error;
  }
  return JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? json.rawJSON(item.toString()) : item));
}
