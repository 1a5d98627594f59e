import { describe, expect, it } from 'vitest';
import { FrameReader, OpenFlowFramingError } from './framing.js';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const HELLO = '04 00 0008 00000001';
const ECHO = '04 02 000c 00000002 aabbccdd';

function cut(chunks: readonly string[]): string[] {
  const reader = new FrameReader();
  const messages: string[] = [];
  for (const chunk of chunks) reader.push(bytes(chunk), (m) => messages.push(Buffer.from(m).toString('hex')));
  return messages;
}

describe('FrameReader', () => {
  const both = ['0400000800000001', '0402000c00000002aabbccdd'];
  it.each([
    ['two messages in one chunk', [`${HELLO} ${ECHO}`], both],
    ['a message a chunk', [HELLO, ECHO], both],
    ['split inside a header', ['0400 00', `08 00000001 ${ECHO}`], both],
    ['split inside a body', [`${HELLO} 04 02 000c 00000002 aa`, 'bb cc', 'dd'], both],
    ['one byte at a time', `${HELLO}${ECHO}`.replaceAll(' ', '').match(/../g) ?? [], both],
    ['half a message', ['04 02 000c 00000002 aa'], []],
    ['nothing', [''], []],
  ])('cuts %s', (_, chunks, expected) => {
    expect(cut(chunks)).toEqual(expected);
  });

  it.each([
    ['0', '04 00 0000 00000001'],
    ['7', '04 00 0007 00000001'],
  ])('refuses length %s', (_, hex) => {
    expect(() => cut([hex])).toThrow(OpenFlowFramingError);
  });

  it('gives out copies, not views of the chunk', () => {
    const chunk = bytes(ECHO);
    const messages: Uint8Array[] = [];
    new FrameReader().push(chunk, (m) => messages.push(m));
    chunk.fill(0);
    expect(Buffer.from(messages[0] ?? []).toString('hex')).toBe(both[1]);
  });

  it('gives nothing out after stop, even from the chunk being cut', () => {
    const reader = new FrameReader();
    let n = 0;
    reader.push(bytes(`${HELLO} ${ECHO}`), () => {
      n++;
      reader.stop();
    });
    expect(n).toBe(1);
  });
});
