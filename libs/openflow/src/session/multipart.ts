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
