import { ACTION_CODEC } from './actions/codec.js';
import { readInstructions, writeInstructions } from './actions/instructions.js';
import type { Action, Instruction } from './actions/types.js';
import { OpenFlowDecodeError } from './errors.js';
import type { Match } from './fields/match.js';
import { readMatch, readOxms, writeMatch, writeOxms } from './fields/oxm.js';
import { VERSIONS, type Version, type WireVersion } from './version.js';
import { ByteReader } from './wire/reader.js';
import { ByteWriter } from './wire/writer.js';

// Lists that stand inside messages, by themselves.

function whole<T>(bytes: Uint8Array, version: Version, read: (r: ByteReader, version: WireVersion) => T): T {
  const r = new ByteReader(bytes);
  try {
    const value = read(r, VERSIONS[version]);
    if (r.left > 0) r.fail(`${r.left} bytes follow`);
    return value;
  } catch (error) {
    if (error instanceof OpenFlowDecodeError) throw error;
    throw new OpenFlowDecodeError('message', r.pos, 'the decoder failed', { cause: error });
  }
}
function bytesOf(write: (w: ByteWriter) => void): Uint8Array<ArrayBuffer> {
  const w = new ByteWriter(256);
  write(w);
  return w.copy();
}

/** A list of actions without anything around it. @throws OpenFlowDecodeError */
export const decodeActions = (bytes: Uint8Array, version: Version): Action[] =>
  whole(bytes, version, (r, wire) => ACTION_CODEC[wire].readActions(r));
/** The bytes of a list of actions. @throws OpenFlowEncodeError */
export const encodeActions = (actions: readonly Action[], version: Version): Uint8Array<ArrayBuffer> =>
  bytesOf((w) => ACTION_CODEC[VERSIONS[version]].writeActions(w, actions));

/** A list of instructions without anything around it. @throws OpenFlowDecodeError */
export const decodeInstructions = (bytes: Uint8Array, version: Version): Instruction[] =>
  whole(bytes, version, readInstructions);
/** The bytes of a list of instructions. @throws OpenFlowEncodeError */
export const encodeInstructions = (instructions: readonly Instruction[], version: Version): Uint8Array<ArrayBuffer> =>
  bytesOf((w) => writeInstructions(w, instructions, VERSIONS[version]));

/** Whether the bytes are an `ofp_match`: type 1, the length of all but the padding, and zeros as padding. */
function isWholeMatch(bytes: Uint8Array): boolean {
  if (bytes.length < 8 || bytes[0] !== 0 || bytes[1] !== 1) return false;
  const length = ((bytes[2] as number) << 8) | (bytes[3] as number);
  return length >= 4 && ((length + 7) & ~7) === bytes.length && bytes.subarray(length).every((byte) => byte === 0);
}

/**
 * A match: a whole `ofp_match` (type, length, OXMs, padding), or OXMs one after the other. Bytes that could be either are an `ofp_match`.
 * @throws OpenFlowDecodeError
 */
export const decodeMatch = (bytes: Uint8Array): Match =>
  whole(bytes, 'OF1.5', isWholeMatch(bytes) ? readMatch : (r) => readOxms(r));
/** The bytes of a match: a whole `ofp_match`, or with `bare` only its OXMs. @throws OpenFlowEncodeError */
export const encodeMatch = (match: Match, version: Version, options: { readonly bare?: boolean } = {}) =>
  bytesOf((w) => (options.bare ? writeOxms : writeMatch)(w, match, VERSIONS[version]));
