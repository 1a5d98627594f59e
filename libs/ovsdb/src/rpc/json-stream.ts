import { NotationError } from '../errors.js';
import { JsonText } from './json-text.js';

/** Bounds of the input. */
export interface JsonStreamLimits {
  /** Bytes of one message; 128 MiB unless told. */
  readonly maxMessageBytes?: number;
  /** Nesting of one message; 1000 unless told, as in Open vSwitch. */
  readonly maxDepth?: number;
}

const DEFAULT_MAX_MESSAGE_BYTES = 128 * 1024 * 1024;
const DEFAULT_MAX_DEPTH = 1000;
/** Messages from this size on can be taken as text. */
const LARGE_BYTES = 64 * 1024;

const OPEN = 1;
const CLOSE = 2;
const QUOTE = 3;
const SPACE = 4;
const CLASS = new Uint8Array(256);
for (const [kind, characters] of [
  [OPEN, '{['],
  [CLOSE, '}]'],
  [QUOTE, '"'],
  [SPACE, ' \t\r\n'],
] as const) {
  for (const character of characters) CLASS[character.charCodeAt(0)] = kind;
}
const QUOTE_BYTE = 0x22;
const BACKSLASH_BYTE = 0x5c;

/**
 * Cuts a byte stream into JSON texts. OVSDB puts nothing between messages (RFC 7047 §4), so their ends are found by
 * counting brackets outside strings. Each byte is looked at once, wherever the stream is split.
 */
export class JsonStream {
  readonly #maxMessageBytes: number;
  readonly #maxDepth: number;
  readonly #held: Buffer[] = [];
  #heldBytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(limits: JsonStreamLimits = {}) {
    this.#maxMessageBytes = limits.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    this.#maxDepth = limits.maxDepth ?? DEFAULT_MAX_DEPTH;
  }

  /** Bytes of the unfinished message. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Takes the next bytes and hands over each message that they complete, in order. Throws NotationError on bytes that
   * are no JSON or exceed a bound; the stream is then of no further use. The chunk must not be changed afterwards.
   * Messages of 64 KiB and more go to `onLarge`, where given, unparsed.
   */
  push(chunk: Buffer, onMessage: (message: unknown) => void, onLarge?: (text: JsonText) => void): void {
    const size = chunk.length;
    let start = 0;
    let at = 0;
    let depth = this.#depth;
    let inString = this.#inString;
    while (at < size) {
      if (inString) {
        if (this.#escaped) {
          this.#escaped = false;
          at++;
          continue;
        }
        while (at < size) {
          const byte = chunk[at] as number;
          if (byte === QUOTE_BYTE || byte === BACKSLASH_BYTE) break;
          at++;
        }
        if (at === size) break;
        if (chunk[at] === QUOTE_BYTE) inString = false;
        else this.#escaped = true;
        at++;
        continue;
      }
      const kind = CLASS[chunk[at] as number] as number;
      at++;
      if (kind === OPEN) {
        if (depth === 0) start = at - 1;
        if (++depth > this.#maxDepth) throw new NotationError('stream', `nested deeper than ${this.#maxDepth}`);
      } else if (depth === 0) {
        if (kind !== SPACE) throw new NotationError('stream', 'bytes between messages are not JSON objects or arrays');
      } else if (kind === QUOTE) {
        inString = true;
      } else if (kind === CLOSE && --depth === 0) {
        this.#checkSize(this.#heldBytes + at - start);
        const bytes = this.#take(chunk.subarray(start, at));
        start = at;
        const text = new JsonText(bytes);
        if (onLarge !== undefined && bytes.length >= LARGE_BYTES) onLarge(text);
        else onMessage(text.parse());
      }
    }
    this.#depth = depth;
    this.#inString = inString;
    if (depth > 0) this.#hold(chunk.subarray(start));
  }

  #checkSize(bytes: number): void {
    if (bytes > this.#maxMessageBytes)
      throw new NotationError('stream', `message exceeds ${this.#maxMessageBytes} bytes`);
  }

  #hold(part: Buffer): void {
    this.#checkSize(this.#heldBytes + part.length);
    this.#held.push(part);
    this.#heldBytes += part.length;
  }

  #take(last: Buffer): Buffer {
    if (this.#held.length === 0) return last;
    const bytes = Buffer.concat([...this.#held, last]);
    this.#held.length = 0;
    this.#heldBytes = 0;
    return bytes;
  }
}
