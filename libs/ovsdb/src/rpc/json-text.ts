import { NotationError } from '../errors.js';
import { parseJson } from '../notation/json.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
const isOpen = (byte: number | undefined): boolean => byte === 0x7b || byte === 0x5b;
const isClose = (byte: number | undefined): boolean => byte === 0x7d || byte === 0x5d;

/**
 * A JSON value that is not parsed yet. A download of a whole database is read through this, a row at a time: its rows
 * then never exist as one tree of wire values, which would take several times the memory of the replica.
 */
export class JsonText {
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  get isObject(): boolean {
    return this.#bytes[this.#skipSpace(this.#start)] === 0x7b;
  }

  get isArray(): boolean {
    return this.#bytes[this.#skipSpace(this.#start)] === 0x5b;
  }

  /** The whole value. Throws NotationError. */
  parse(): unknown {
    return this.#parse(this.#start, this.#end);
  }

  /** The members of an object, one after another. Throws NotationError. */
  *entries(): Generator<readonly [string, JsonText]> {
    if (!this.isObject) throw new NotationError('stream', 'want an object');
    for (let at = this.#first(); at < this.#end; ) {
      const keyEnd = this.#valueEnd(at);
      const key = this.#parse(at, keyEnd);
      const colon = this.#skipSpace(keyEnd);
      if (typeof key !== 'string' || this.#bytes[colon] !== COLON) throw new NotationError('stream', 'want a member');
      const start = this.#skipSpace(colon + 1);
      const end = this.#valueEnd(start);
      yield [key, new JsonText(this.#bytes, start, end)];
      at = this.#next(end);
    }
  }

  /** The elements of an array, one after another. Throws NotationError. */
  *elements(): Generator<JsonText> {
    if (!this.isArray) throw new NotationError('stream', 'want an array');
    for (let at = this.#first(); at < this.#end; ) {
      const end = this.#valueEnd(at);
      yield new JsonText(this.#bytes, at, end);
      at = this.#next(end);
    }
  }

  #parse(start: number, end: number): unknown {
    try {
      return parseJson(this.#bytes.toString('utf8', start, end));
    } catch (cause) {
      throw new NotationError('stream', 'message is not JSON', { cause });
    }
  }

  #skipSpace(from: number): number {
    let at = from;
    while (isSpace(this.#bytes[at])) at++;
    return at;
  }

  /** Where the first member or element starts; the end where there is none. */
  #first(): number {
    const at = this.#skipSpace(this.#skipSpace(this.#start) + 1);
    return isClose(this.#bytes[at]) ? this.#end : at;
  }

  /** Where the one after starts; the end where there is none. */
  #next(end: number): number {
    const at = this.#skipSpace(end);
    if (isClose(this.#bytes[at])) return this.#end;
    if (this.#bytes[at] !== COMMA) throw new NotationError('stream', 'want a comma');
    return this.#skipSpace(at + 1);
  }

  /** Where the value that starts here ends. */
  #valueEnd(start: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let depth = 0;
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        for (at++; at < end && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
        if (depth === 0) return at + 1;
      } else if (isOpen(byte)) {
        depth++;
      } else if (isClose(byte)) {
        // A bracket that closes what stands around a number or word ends it.
        if (depth === 0) return at;
        if (--depth === 0) return at + 1;
      } else if (depth === 0 && (byte === COMMA || byte === COLON || isSpace(byte))) {
        return at;
      }
    }
    return at;
  }
}
