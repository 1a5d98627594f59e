import type { Version } from '../version.js';
import type { Message } from './types.js';

/** A decoded message with what its header said. */
export interface Decoded {
  readonly version: Version;
  readonly xid: number;
  readonly message: Message;
}

/** Encodes one message. Throws `OpenFlowEncodeError` when the version cannot say it or it exceeds 65535 bytes. */
export declare function encodeMessage(
  message: Message,
  options: { readonly version: Version; readonly xid: number },
): Uint8Array<ArrayBuffer>;
/** Decodes exactly one message. Throws `OpenFlowDecodeError` and nothing else. */
export declare function decodeMessage(bytes: Uint8Array): Decoded;
