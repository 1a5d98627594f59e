import { formatJson } from '../../notation/json.js';

/** An operation that fails, as the server writes it: `<error>` of RFC 7047 §3.1. */
export class OperationError extends Error {
  readonly tag: string;
  readonly details: string;
  readonly syntax: unknown;

  constructor(tag: string, details: string, syntax?: unknown) {
    super(`${tag}: ${details}`);
    this.tag = tag;
    this.details = details;
    this.syntax = syntax;
  }

  toWire(): { readonly error: string; readonly details: string; readonly syntax?: string } {
    const syntax = this.syntax === undefined ? {} : { syntax: formatJson(sortedMembers(this.syntax)) };
    return { error: this.tag, details: this.details, ...syntax };
  }
}

/** A `wait` that does not hold yet. */
export class Blocked extends Error {
  /** Milliseconds after which to give up; Infinity for never. */
  readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    super('wait does not hold');
    this.timeoutMs = timeoutMs;
  }
}

// Open vSwitch writes the members of objects in order.
function sortedMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedMembers);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, sortedMembers(item)]));
}
