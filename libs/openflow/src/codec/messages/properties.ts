import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import type { Property } from './structures.js';

// { u16 type; u16 length (without padding); body; pad to 8 }      OF1.4, 7.1.2

/** Reads one property: calls `known` with its type, narrowed to its body; what `known` refuses is kept as it came. */
export function readProperties(r: ByteReader, known: (type: number, r: ByteReader) => boolean): Property[] | undefined {
  let kept: Property[] | undefined;
  while (r.pos < r.end) {
    const start = r.pos;
    const type = r.u16();
    const length = r.u16();
    if (length < 4 || length > r.end - start) r.fail(`property of ${length} bytes, ${r.end - start} left`, start);
    const outer = r.end;
    r.end = start + length;
    const body = r.pos;
    if (!known(type, r)) {
      r.pos = body;
      kept ??= [];
      kept.push({ type, body: r.rest() });
    }
    r.end = outer;
    r.pos = Math.min(start + ((length + 7) & ~7), outer);
  }
  return kept;
}

/** Writes one property with its padding. */
export function writeProperty(w: ByteWriter, type: number, body: (w: ByteWriter) => void): void {
  const start = w.skip(4);
  w.setU16(start, type);
  body(w);
  w.closeLength(start + 2, start, 'property');
  w.align8(start);
}

/** Writes kept properties back. */
export function writeKept(w: ByteWriter, properties: readonly Property[] | undefined): void {
  for (const { type, body } of properties ?? []) writeProperty(w, type, () => w.raw(body));
}

/** Properties of 16 bits are padded inside their length (the standard's examples and Open vSwitch agree), but do without. */
export const writeU16 = (w: ByteWriter, value: number): void => {
  w.u16(value);
  w.skip(2);
};
/** Whether a property's body is 16 bits, padded or not. */
export const isU16 = (r: ByteReader): boolean => r.left === 4 || r.left === 2;
