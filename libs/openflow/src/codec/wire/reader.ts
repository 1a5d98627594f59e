import { OpenFlowDecodeError } from '../errors.js';

/**
 * Reads one message. `end` is the end of the structure that is being read; `within` narrows it.
 * Every read checks `end` first, so a lying length cannot read outside its own structure.
 */
export class ByteReader {
  private readonly view: DataView;
  private readonly path: (string | number)[] = [];
  /** How much of `path` counts; what is behind it is left from before, so that coming and going moves no memory. */
  private depth = 0;
  /** How deep actions stand in actions. */
  nesting = 0;
  pos: number;
  end: number;

  constructor(
    readonly bytes: Uint8Array,
    pos = 0,
    end = bytes.length,
    /** Added to offsets in errors, for a reader over a part of a message. */
    private readonly base = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.pos = pos;
    this.end = end;
  }

  get left(): number {
    return this.end - this.pos;
  }
  enter(name: string | number): void {
    this.path[this.depth++] = name;
  }
  leave(): void {
    this.depth--;
  }
  fail(reason: string, at = this.pos): never {
    let path = '';
    for (const part of this.path.slice(0, this.depth))
      path += typeof part === 'number' ? `[${part}]` : path === '' ? part : `.${part}`;
    throw new OpenFlowDecodeError(path === '' ? 'message' : path, this.base + at, reason);
  }
  need(n: number): void {
    if (this.pos + n > this.end) this.fail(`${n} bytes wanted, ${this.end - this.pos} left`);
  }
  u8(): number {
    this.need(1);
    return this.bytes[this.pos++] as number;
  }
  u16(): number {
    this.need(2);
    const at = this.pos;
    this.pos = at + 2;
    return ((this.bytes[at] as number) << 8) | (this.bytes[at + 1] as number);
  }
  u32(): number {
    this.need(4);
    const at = this.pos;
    this.pos = at + 4;
    return this.view.getUint32(at);
  }
  u64(): bigint {
    this.need(8);
    const at = this.pos;
    this.pos = at + 8;
    // Counters are often zero, and a bigint of their own for each would be most of what a dump allocates.
    if (this.view.getUint32(at + 4) === 0 && this.view.getUint32(at) === 0) return 0n;
    return this.view.getBigUint64(at);
  }
  big(size: number): bigint {
    this.need(size);
    const at = this.pos;
    this.pos = at + size;
    if (size === 8) return this.view.getBigUint64(at);
    if (size === 6) return BigInt(this.view.getUint16(at) * 0x100000000 + this.view.getUint32(at + 2));
    if (size === 16) return (this.view.getBigUint64(at) << 64n) | this.view.getBigUint64(at + 8);
    let value = 0n;
    for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(this.bytes[at + i] as number);
    return value;
  }
  skip(n: number): void {
    this.need(n);
    this.pos += n;
  }
  /** A copy: what outlives the read buffer must not point into it. */
  copy(n: number): Uint8Array<ArrayBuffer> {
    this.need(n);
    const at = this.pos;
    this.pos = at + n;
    return new Uint8Array(this.bytes.slice(at, at + n));
  }
  rest(): Uint8Array<ArrayBuffer> {
    return this.copy(this.end - this.pos);
  }
  /** A NUL-padded string of `n` bytes. */
  text(n: number): string {
    this.need(n);
    let end = this.pos;
    while (end < this.pos + n && this.bytes[end] !== 0) end++;
    let text = '';
    for (let i = this.pos; i < end; i++) text += String.fromCharCode(this.bytes[i] as number);
    this.pos += n;
    return text;
  }
  peekU16(at: number): number {
    if (at + 2 > this.end) this.fail('2 bytes wanted', at);
    return this.view.getUint16(at);
  }
  peekU32(at: number): number {
    if (at + 4 > this.end) this.fail('4 bytes wanted', at);
    return this.view.getUint32(at);
  }
  /** Narrows `end` to `pos + n` and returns the old end, which the caller puts back. */
  narrow(n: number): number {
    this.need(n);
    const outer = this.end;
    this.end = this.pos + n;
    return outer;
  }
}
