import { decodeMessage, type FlowStats } from '../codec/index.js';

/** Bytes before the elements of a multipart reply. */
export const MULTIPART_HEADER = 16;

/** One flow of a part of a reply, decoded by itself. @throws OpenFlowDecodeError */
export function decodeFlow(part: Uint8Array, from: number, to: number): FlowStats {
  const bytes = new Uint8Array(MULTIPART_HEADER + to - from);
  bytes.set(part.subarray(0, MULTIPART_HEADER));
  bytes.set(part.subarray(from, to), MULTIPART_HEADER);
  new DataView(bytes.buffer).setUint16(2, bytes.length);
  const { message } = decodeMessage(bytes);
  return (message as { elements: readonly FlowStats[] }).elements[0] as FlowStats;
}
