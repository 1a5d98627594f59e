import type { ErrorMessage } from '../messages/types.js';

// Bytes as text, for what cannot be said otherwise.

/** Rows of 16 bytes with their offset, in hexadecimal and as characters. */
export function hexDump(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 16) {
    const row = Array.from(bytes.subarray(at, at + 16));
    const cells = row.map(
      (b, i) =>
        `${b.toString(16).padStart(2, '0')}${i === 15 ? '' : i === 7 && row.length > 8 ? '-' : i === 7 ? '-' : ' '}`,
    );
    const characters = row.map((b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : '.')).join('');
    text += `${at.toString(16).padStart(8, '0')}  ${cells.join('').padEnd(47)} |${characters.padEnd(16)}|\n`;
  }
  return text;
}

/** Text with what is not printable as octal escapes, quotes and backslashes too. */
export const asText = (data: Uint8Array): string =>
  Array.from(data, (b) =>
    b >= 32 && b < 127 && b !== 34 && b !== 92 ? String.fromCharCode(b) : `\\${b.toString(8).padStart(3, '0')}`,
  ).join('');

/** Errors of a hello carry text, all others the beginning of the message at fault. */
export const carriesText = (m: ErrorMessage): boolean => m.code === 'OFPHFC_INCOMPATIBLE' || m.code === 'OFPHFC_EPERM';
