import type { ErrorMessage } from '../codec/index.js';

/** Why a session ended. */
export type CloseReason =
  /** `close()` was called on our side. */
  | { readonly kind: 'local' }
  /** The peer ended the connection. */
  | { readonly kind: 'peer' }
  /** The network or TLS failed. */
  | { readonly kind: 'error'; readonly error: Error }
  /** Nothing came for two echo intervals, or no whole handshake in its time. */
  | { readonly kind: 'silent' }
  /** The peer broke the protocol: framing, version, handshake. */
  | { readonly kind: 'protocol'; readonly error: Error }
  /** The peer does not take the answers that it asks for: they fill our buffer. */
  | { readonly kind: 'overflow' };

/** One line for a log. */
export function formatCloseReason(reason: CloseReason): string {
  return 'error' in reason ? `${reason.kind}: ${reason.error.message}` : reason.kind;
}

/** The peer answered a message with an error message (OpenFlow 1.5.1 §7.5.4). */
export class OpenFlowPeerError extends Error {
  override readonly name = 'OpenFlowPeerError';
  readonly code = 'OF_PEER';
  /** Error type by name, e.g. `OFPET_BAD_MATCH`. */
  readonly type: string;
  /** Error code by name within the type. */
  readonly reason: string;
  /** At least the first 64 bytes of the refused message, or text, as the type says. */
  readonly data: Uint8Array;

  constructor(
    message: ErrorMessage,
    /** Kind of the message that was refused. */
    readonly requestKind: string,
  ) {
    super(`${requestKind} refused: ${message.type} ${message.code}`);
    this.type = message.type;
    this.reason = message.code;
    this.data = message.data;
  }
}

/** A call reached its deadline; whether the peer did what was asked is unknown. */
export class OpenFlowTimeoutError extends Error {
  override readonly name = 'OpenFlowTimeoutError';
  readonly code = 'OF_TIMEOUT';

  constructor(
    what: string,
    readonly timeoutMs: number,
  ) {
    super(`${what}: no answer within ${timeoutMs} ms`);
  }
}

/** The session is closed, or was closed before the answer came; whether the peer did what was asked is unknown. */
export class OpenFlowClosedError extends Error {
  override readonly name = 'OpenFlowClosedError';
  readonly code = 'OF_CLOSED';

  constructor(readonly reason: CloseReason) {
    super(`session closed (${formatCloseReason(reason)})`, 'error' in reason ? { cause: reason.error } : undefined);
  }
}

/** A bound was reached: unsent bytes, or the size of a multipart reply. */
export class OpenFlowLimitError extends Error {
  override readonly name = 'OpenFlowLimitError';
  readonly code = 'OF_LIMIT';
}

/** The peer does not follow the protocol, e.g. its first message is not a hello. */
export class OpenFlowProtocolError extends Error {
  override readonly name = 'OpenFlowProtocolError';
  readonly code = 'OF_PROTOCOL';
}
