/** `struct ofp_header { uint8_t version; uint8_t type; ovs_be16 length; ovs_be32 xid; }` */
export const HEADER_BYTES = 8;

/** The peer's byte stream cannot be cut into messages any more. */
export class OpenFlowFramingError extends Error {
  override readonly name = 'OpenFlowFramingError';
  readonly code = 'OF_FRAMING';
}

/** The header of a message (OF1.3 §7.1); `type` and `version` as they stand on the wire. */
export interface Header {
  readonly version: number;
  readonly type: number;
  readonly length: number;
  readonly xid: number;
}

/** Header of a whole message. */
export function readHeader(message: Uint8Array): Header {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  return { version: view.getUint8(0), type: view.getUint8(1), length: view.getUint16(2), xid: view.getUint32(4) };
}

/**
 * Cuts a byte stream into messages. Every byte is copied once into the message's own memory, so a message never points
 * into a read buffer that is used again; at most one message (65535 bytes) is held.
 */
export class FrameReader {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerFill = 0;
  #message: Uint8Array | undefined;
  #fill = 0;
  #stopped = false;

  /** Bytes of a message that has begun and is not whole yet. */
  get pendingBytes(): number {
    return this.#message === undefined ? this.#headerFill : this.#fill;
  }

  /** No message is given out after this, not even those in the chunk that is being cut. */
  stop(): void {
    this.#stopped = true;
    this.#message = undefined;
  }

  /** @throws OpenFlowFramingError if a length is below that of the header; the stream is lost then. */
  push(chunk: Uint8Array, onMessage: (message: Uint8Array) => void): void {
    for (let at = 0; at < chunk.length && !this.#stopped; ) {
      if (this.#message === undefined) {
        const n = Math.min(HEADER_BYTES - this.#headerFill, chunk.length - at);
        this.#header.set(chunk.subarray(at, at + n), this.#headerFill);
        this.#headerFill += n;
        at += n;
        if (this.#headerFill < HEADER_BYTES) return;
        const { length } = readHeader(this.#header);
        if (length < HEADER_BYTES) throw new OpenFlowFramingError(`length ${length}, want ${HEADER_BYTES} or more`);
        this.#message = new Uint8Array(length);
        this.#message.set(this.#header);
        this.#fill = HEADER_BYTES;
      }
      const n = Math.min(this.#message.length - this.#fill, chunk.length - at);
      this.#message.set(chunk.subarray(at, at + n), this.#fill);
      this.#fill += n;
      at += n;
      if (this.#fill === this.#message.length) {
        const whole = this.#message;
        this.#message = undefined;
        this.#headerFill = 0;
        this.#fill = 0;
        onMessage(whole);
      }
    }
  }
}
