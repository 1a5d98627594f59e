import { expect, it } from 'vitest';
import { mutate, randomOf, seeds } from '../../fuzz/mutate.js';
import { decodeMessage, encodeMessage, formatMessage, OpenFlowDecodeError, OpenFlowEncodeError } from './index.js';

// The long run is `npm run fuzz`.
it('decodes mutated messages or says where it cannot', () => {
  const random = randomOf(20261121);
  const pool = seeds();
  let decoded = 0;
  for (let i = 0; i < 30_000; i++) {
    const bytes = mutate(pool, random);
    try {
      const message = decodeMessage(bytes);
      decoded++;
      if (pool.length < 256 && message.message.kind !== 'unknown') pool.push(bytes);
      formatMessage(message);
      encodeMessage(message.message, message);
    } catch (error) {
      if (error instanceof OpenFlowEncodeError) continue;
      expect(error, Buffer.from(bytes).toString('hex')).toBeInstanceOf(OpenFlowDecodeError);
      const { path, offset, cause } = error as OpenFlowDecodeError;
      expect([path === '', offset >= 0 && offset <= bytes.length, cause], Buffer.from(bytes).toString('hex')).toEqual([
        false,
        true,
        undefined,
      ]);
    }
  }
  // Otherwise it would all end at the header.
  expect(decoded).toBeGreaterThan(5000);
});
