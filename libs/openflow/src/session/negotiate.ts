import { decodeMessage, VERSIONS, type Version, versionOfWire } from '../codec/index.js';
import { OpenFlowProtocolError } from './errors.js';
import { readHeader } from './framing.js';

const OFPT_HELLO = 0;

/** Highest first. */
export const byWireDescending = (versions: readonly Version[]): Version[] =>
  [...versions].sort((a, b) => VERSIONS[b] - VERSIONS[a]);

/**
 * The version that both sides take after the hellos (OpenFlow 1.5.1 §6.3.1): the highest in both bitmaps, or, where the
 * peer sent no bitmap, the smaller of the two header versions. `undefined` if there is none that we speak.
 * @param headerVersion version byte of the peer's hello
 * @param bitmap wire versions of the peer's bitmap
 */
export function commonVersion(
  ours: readonly Version[],
  headerVersion: number,
  bitmap: readonly number[] | undefined,
): Version | undefined {
  const sorted = byWireDescending(ours);
  if (bitmap !== undefined) return sorted.find((version) => bitmap.includes(VERSIONS[version]));
  const highest = sorted[0];
  if (highest === undefined) return undefined;
  const agreed = versionOfWire(Math.min(VERSIONS[highest], headerVersion));
  return agreed !== undefined && ours.includes(agreed) ? agreed : undefined;
}

/**
 * Reads the peer's first message.
 * @throws OpenFlowProtocolError if it is not a hello; OpenFlowDecodeError if it is a broken one
 */
export function readHello(bytes: Uint8Array): { headerVersion: number; bitmap: readonly number[] | undefined } {
  const { version, type } = readHeader(bytes);
  if (type !== OFPT_HELLO) throw new OpenFlowProtocolError(`first message has type ${type}, want a hello`);
  // A hello looks the same in every version, also in those that we do not speak.
  const readable = versionOfWire(version) === undefined ? Uint8Array.from(bytes) : bytes;
  if (readable !== bytes) readable[0] = VERSIONS['OF1.3'];
  const { message } = decodeMessage(readable);
  return { headerVersion: version, bitmap: message.kind === 'hello' ? message.versions : undefined };
}
