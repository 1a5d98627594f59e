import type { Message, MultipartElements, MultipartType } from '../codec/index.js';
import { deferred } from './deferred.js';
import { OpenFlowLimitError, OpenFlowPeerError, OpenFlowProtocolError } from './errors.js';
import type { Waiter } from './xids.js';

/** A decoded message with the size that it had on the wire. */
export interface Incoming {
  readonly message: Message;
  readonly bytes: number;
}

/** Puts the parts of one multipart reply together, up to `maxBytes` on the wire. */
export class MultipartCollector<T extends MultipartType> implements Waiter<Incoming> {
  readonly done: Promise<readonly MultipartElements[T][]>;
  readonly #elements: MultipartElements[T][] = [];
  readonly #type: T;
  readonly #maxBytes: number;
  readonly #resolve: (elements: readonly MultipartElements[T][]) => void;
  readonly #reject: (error: Error) => void;
  #bytes = 0;

  constructor(type: T, maxBytes: number) {
    this.#type = type;
    this.#maxBytes = maxBytes;
    const { promise, resolve, reject } = deferred<readonly MultipartElements[T][]>();
    this.done = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  take({ message, bytes }: Incoming): boolean {
    if (message.kind === 'error')
      return this.#refuse(new OpenFlowPeerError(message, `multipart_request ${this.#type}`));
    if (message.kind !== 'multipart_reply' || message.type !== this.#type)
      return this.#refuse(new OpenFlowProtocolError(`a ${message.kind} answers a multipart request for ${this.#type}`));
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes)
      return this.#refuse(new OpenFlowLimitError(`multipart reply ${this.#type} exceeds ${this.#maxBytes} bytes`));
    for (const element of message.elements) this.#elements.push(element as MultipartElements[T]);
    if (message.more) return false;
    this.#resolve(this.#elements);
    return true;
  }

  fail(error: Error): void {
    this.#reject(error);
  }

  #refuse(error: Error): true {
    this.#elements.length = 0;
    this.#reject(error);
    return true;
  }
}

const OFPT_MULTIPART_REPLY = 19;
const MULTIPART_HEADER_BYTES = 16;
/** Of the first half-word after type: another part follows. */
const MORE = 1;

/** Hands out the parts of one multipart reply as bytes, up to `maxBytes` of them. */
export class PartCollector implements Waiter<Incoming> {
  readonly done: Promise<void>;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  #bytes = 0;

  constructor(
    private readonly type: string,
    private readonly maxBytes: number,
    private readonly onPart: (part: Uint8Array) => void,
  ) {
    const { promise, resolve, reject } = deferred<void>();
    this.done = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  takeBytes(bytes: Uint8Array): boolean | undefined {
    if (bytes[1] !== OFPT_MULTIPART_REPLY || bytes.length < MULTIPART_HEADER_BYTES) return undefined;
    this.#bytes += bytes.length;
    if (this.#bytes > this.maxBytes) {
      this.#reject(new OpenFlowLimitError(`multipart reply ${this.type} exceeds ${this.maxBytes} bytes`));
      return true;
    }
    this.onPart(bytes);
    if ((bytes[11] as number) & MORE) return false;
    this.#resolve();
    return true;
  }

  /** Whatever is no part of the reply. */
  take({ message }: Incoming): boolean {
    this.#reject(
      message.kind === 'error'
        ? new OpenFlowPeerError(message, `multipart_request ${this.type}`)
        : new OpenFlowProtocolError(`a ${message.kind} answers a multipart request for ${this.type}`),
    );
    return true;
  }

  fail(error: Error): void {
    this.#reject(error);
  }
}
