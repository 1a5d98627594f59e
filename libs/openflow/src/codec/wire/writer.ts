import { OpenFlowEncodeError } from '../errors.js';

/**
 * One growing buffer that many messages are written into. Numbers are big endian.
 * Bytes beyond `length` are always zero: padding is a move of `length`.
 */
export class ByteWriter {
  private bytes: Uint8Array<ArrayBuffer>;
  private view: DataView<ArrayBuffer>;
  length = 0;

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  private grow(need: number): void {
    const bytes = new Uint8Array(Math.max(need, this.bytes.length * 2));
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  /** Makes room for `n` bytes and returns where they start. */
  skip(n: number): number {
    const at = this.length;
    if (at + n > this.bytes.length) this.grow(at + n);
    this.length = at + n;
    return at;
  }

  u8(value: number): void {
    // `skip` may replace the buffer, so it comes first.
    const at = this.skip(1);
    this.bytes[at] = value;
  }
  u16(value: number): void {
    const at = this.skip(2);
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }
  u32(value: number): void {
    const at = this.skip(4);
    this.view.setUint32(at, value);
  }
  u64(value: bigint): void {
    const at = this.skip(8);
    this.view.setBigUint64(at, value);
  }
  /** `value` in `size` bytes; the caller has checked that it fits. */
  big(value: bigint, size: number): void {
    const at = this.skip(size);
    if (size === 6) {
      const n = Number(value);
      this.view.setUint16(at, Math.floor(n / 0x100000000));
      this.view.setUint32(at + 2, n >>> 0);
      return;
    }
    let rest = value;
    let end = size;
    for (; end >= 8; end -= 8) {
      this.view.setBigUint64(at + end - 8, BigInt.asUintN(64, rest));
      rest >>= 64n;
    }
    for (let i = end - 1; i >= 0; i--) {
      this.bytes[at + i] = Number(rest & 0xffn);
      rest >>= 8n;
    }
  }
  raw(bytes: Uint8Array): void {
    const at = this.skip(bytes.length);
    this.bytes.set(bytes, at);
  }
  setU8(at: number, value: number): void {
    this.bytes[at] = value;
  }
  setU16(at: number, value: number): void {
    this.view.setUint16(at, value);
  }
  setU32(at: number, value: number): void {
    this.view.setUint32(at, value);
  }
  getU8(at: number): number {
    return this.bytes[at] ?? 0;
  }
  /** Zero bytes until the length since `start` is a multiple of 8. */
  align8(start: number): void {
    this.skip((8 - ((this.length - start) & 7)) & 7);
  }
  /** Writes the bytes written since `start` as a 16-bit length at `at`. */
  closeLength(at: number, start: number, path: string): void {
    const size = this.length - start;
    if (size > 0xffff) throw new OpenFlowEncodeError(path, `${size} bytes do not fit a 16-bit length`);
    this.view.setUint16(at, size);
  }
  /** Forgets everything from `at` on. */
  truncate(at: number): void {
    this.bytes.fill(0, at, this.length);
    this.length = at;
  }
  /** The bytes [from, to) as a copy. */
  copy(from = 0, to = this.length): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(from, to);
  }
  /** The bytes [from, to) as a view that the next write may invalidate. */
  peek(from = 0, to = this.length): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(from, to);
  }
}
