// npm run fuzz -- [--count N] [--seed N]: decodes mutated messages. Each must become a message or an OpenFlowDecodeError that
// says where; what becomes a message is also printed and encoded now and then. Needs a build (npm run build).
import { parseArgs } from 'node:util';
import { mutate, randomOf, seeds } from './mutate.ts';

const { decodeMessage, encodeMessage, formatMessage, OpenFlowDecodeError, OpenFlowEncodeError } = await import(
  '../dist/codec/index.js'
);
const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '10000000' },
    seed: { type: 'string', default: `${Date.now() % 0xffffffff}` },
  },
});
const count = Number(values.count);
const seed = Number(values.seed);
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed))
  throw new RangeError('--count and --seed take numbers');

/** The longest that one message may take. A pause of the garbage collector is shorter. */
const TOO_LONG_MS = 1000;
const TOO_MUCH_BYTES = 512 * 1024 * 1024;
const POOL = 512;
const SHALLOW = new Set(['unknown', 'experimenter', 'hello', 'error', 'echo_request', 'echo_reply']);
const random = randomOf(seed);
const pool = seeds();
const first = pool.length;
let decoded = 0;
let refused = 0;
let slowest = 0;
let largest = 0;
const begin = performance.now();

function fail(bytes: Uint8Array, what: string, error?: unknown): never {
  console.error(`${what}\n${Buffer.from(bytes).toString('hex')}\nseed ${seed}`);
  if (error !== undefined) console.error(error);
  process.exit(1);
}

for (let i = 0; i < count; i++) {
  const bytes = mutate(pool, random);
  const start = performance.now();
  try {
    const message = decodeMessage(bytes);
    decoded++;
    // What is well-formed and known is changed further: it leads deeper. Short messages lead nowhere.
    const known = bytes.length >= 32 && !SHALLOW.has(message.message.kind);
    if (known && random(16) === 0) {
      if (pool.length < POOL) pool.push(bytes);
      else pool[first + random(POOL - first)] = bytes;
    }
    if (random(8) === 0) {
      try {
        formatMessage(message);
        encodeMessage(message.message, message);
      } catch (error) {
        if (!(error instanceof OpenFlowEncodeError)) fail(bytes, 'printing or encoding failed', error);
      }
    }
  } catch (error) {
    refused++;
    if (!(error instanceof OpenFlowDecodeError)) fail(bytes, 'decoding threw something else', error);
    const { path, offset, cause } = error as { path: string; offset: number; cause?: unknown };
    if (cause !== undefined) fail(bytes, 'the decoder failed inside', cause);
    if (path === '' || !(offset >= 0 && offset <= bytes.length))
      fail(bytes, `the error names no place: ${path} at ${offset}`, error);
  }
  const took = performance.now() - start;
  if (took > slowest) slowest = took;
  if (took > TOO_LONG_MS) fail(bytes, `one message took ${Math.round(took)} ms`);
  if ((i & 0xffff) === 0) {
    const used = process.memoryUsage().heapUsed;
    if (used > largest) largest = used;
    if (used > TOO_MUCH_BYTES) fail(bytes, `${used} bytes of heap are in use`);
  }
}
const seconds = (performance.now() - begin) / 1000;
console.log(
  JSON.stringify({
    messages: count,
    seed,
    decoded,
    refused,
    seconds: Number(seconds.toFixed(1)),
    slowestMs: Number(slowest.toFixed(1)),
    heapMiB: Math.round(largest / 1024 / 1024),
  }),
);
