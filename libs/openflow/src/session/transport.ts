import type { Socket } from 'node:net';
import { type Deferred, deferred } from './deferred.js';
import { type CloseReason, OpenFlowClosedError, OpenFlowLimitError } from './errors.js';
import { FrameReader, OpenFlowFramingError } from './framing.js';

export interface TransportOptions {
  readonly socket: Socket;
  /** Bound of unsent bytes that are held for the peer. */
  readonly maxUnsentBytes: number;
  readonly onMessage: (bytes: Uint8Array) => void;
  readonly onClose: (reason: CloseReason) => void;
}

/** A connected stream of whole messages, with back-pressure. */
export class Transport {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #maxUnsentBytes: number;
  readonly #onClose: (reason: CloseReason) => void;
  #reason: CloseReason | undefined;
  /** Of everybody who waits for room in the socket's buffer. */
  #drained: Deferred<void> | undefined;
  /** Bytes that have come from the peer so far. */
  receivedBytes = 0;

  constructor(options: TransportOptions) {
    this.#socket = options.socket;
    this.#maxUnsentBytes = options.maxUnsentBytes;
    this.#onClose = options.onClose;
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.receivedBytes += chunk.length;
      try {
        this.#reader.push(chunk as Uint8Array, options.onMessage);
      } catch (error) {
        if (!(error instanceof OpenFlowFramingError)) throw error;
        this.close({ kind: 'protocol', error });
      }
    });
    socket.on('drain', () => this.#settle((d) => d.resolve()));
    socket.on('end', () => this.close({ kind: 'peer' }));
    socket.on('error', (error) => this.close({ kind: 'error', error }));
    socket.on('close', () => this.close({ kind: 'peer' }));
  }

  /** Bytes that wait in this process for the peer to take them. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /**
   * Hands whole messages to the socket; resolves when its buffer has room again.
   * @throws OpenFlowLimitError when the caller ignored that and the bound is reached; nothing is sent then
   * @throws OpenFlowClosedError
   */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#reason !== undefined) throw new OpenFlowClosedError(this.#reason);
    if (this.#socket.writableLength + bytes.length > this.#maxUnsentBytes)
      throw new OpenFlowLimitError(`more than ${this.#maxUnsentBytes} bytes wait for the peer`);
    if (this.#socket.write(bytes)) return;
    this.#drained ??= deferred<void>();
    return this.#drained.promise;
  }

  /** What is written in between leaves together, in one system call and mostly in one packet. */
  together(write: () => void): void {
    this.#socket.cork();
    try {
      write();
    } finally {
      this.#socket.uncork();
    }
  }

  /** Ends the connection. What is unsent when the peer went silent or broke the protocol is thrown away. */
  close(reason: CloseReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#reader.stop();
    if (reason.kind === 'local' || reason.kind === 'protocol') this.#socket.destroySoon();
    else this.#socket.destroy();
    this.#settle((d) => d.reject(new OpenFlowClosedError(reason)));
    this.#onClose(reason);
  }

  #settle(how: (drained: Deferred<void>) => void): void {
    const drained = this.#drained;
    this.#drained = undefined;
    if (drained !== undefined) how(drained);
  }
}
