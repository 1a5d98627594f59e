// Decoded values as JSON and back: 64-bit and wider numbers are "0x..." texts, bytes "hex:..." texts.

/** JSON of a decoded value, in one line. */
export const toJson = (value: unknown, indent?: number): string =>
  JSON.stringify(
    value,
    (_, v: unknown) => {
      if (typeof v === 'bigint') return `0x${v.toString(16)}`;
      if (v instanceof Uint8Array) return `hex:${Buffer.from(v).toString('hex')}`;
      if (v instanceof Map) return Object.fromEntries(v);
      return v;
    },
    indent,
  );

/** The value that `toJson` was given. @throws SyntaxError */
export const fromJson = (text: string): unknown =>
  JSON.parse(text, (_, v: unknown) => {
    if (typeof v !== 'string') return v;
    if (/^0x[0-9a-f]+$/.test(v)) return BigInt(v);
    if (/^hex:([0-9a-f]{2})*$/.test(v)) return Uint8Array.from(Buffer.from(v.slice(4), 'hex'));
    return v;
  });
