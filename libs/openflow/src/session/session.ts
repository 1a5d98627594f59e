import type { Socket } from 'node:net';
import {
  decodeMessage,
  encodeMessage,
  type FeaturesReply,
  type Message,
  type MessageOf,
  type MultipartElements,
  type MultipartRequest,
  type MultipartType,
  OpenFlowDecodeError,
  VERSIONS,
  type Version,
} from '../codec/index.js';
import { type ApplyResult, applyBundle } from './bundle.js';
import { type Clock, systemClock } from './clock.js';
import { type WaitOptions, withDeadline } from './deadline.js';
import { deferred } from './deferred.js';
import { CHANNELS } from './diagnostics.js';
import {
  type CloseReason,
  OpenFlowClosedError,
  OpenFlowLimitError,
  OpenFlowPeerError,
  OpenFlowProtocolError,
} from './errors.js';
import { readHeader } from './framing.js';
import { startKeepalive } from './keepalive.js';
import { type Incoming, MultipartCollector, PartCollector } from './multipart.js';
import { byWireDescending, commonVersion, readHello } from './negotiate.js';
import { type Mod, SharedMessages } from './shared.js';
import { Transport } from './transport.js';
import { XidTable } from './xids.js';

/** Bounds and times of a session. All have defaults. */
export interface SessionOptions {
  /** Versions that we offer. Default: all that the codec knows. */
  readonly versions?: readonly Version[] | undefined;
  /** Default 5000. */
  readonly echoIntervalMs?: number | undefined;
  /** From the connection to the features reply. Default 10000. */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Default of `timeoutMs` of every call. Default 30000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Bytes that may wait for a peer that does not take them. Default 32 MiB. */
  readonly maxUnsentBytes?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** How a bundle is applied. */
export interface ApplyOptions extends WaitOptions {
  /**
   * The switch gets the bundle at once and is told to commit it when this has resolved; if it rejects, the bundle is discarded. Open
   * vSwitch forgets a bundle that nothing is said about for ten seconds: it is rejected then.
   */
  readonly commitAfter?: Promise<unknown> | undefined;
}

/** A handshaken OpenFlow connection with a switch. */
export interface OpenFlowSession {
  readonly version: Version;
  readonly datapathId: bigint;
  /** Whom we talk to, e.g. `tcp:10.0.0.1:40112`. */
  readonly remote: string;
  readonly features: FeaturesReply;
  /** Resolves with the reason when the session has ended; never rejects. */
  readonly closed: Promise<CloseReason>;
  /**
   * Sends a message that has no answer; resolves when the socket has room for more.
   * @throws OpenFlowEncodeError, OpenFlowLimitError, OpenFlowClosedError
   */
  send(message: Message | SharedMessages): Promise<void>;
  /**
   * The message that comes back with the same xid.
   * @throws OpenFlowPeerError if that is an error message; OpenFlowTimeoutError, OpenFlowClosedError
   */
  request(message: Message, options?: WaitOptions): Promise<Message>;
  /**
   * Sends a message that has no answer, and resolves when the switch has done it.
   * @throws as `request`: OpenFlowPeerError if it was refused
   */
  confirm(message: Message, options?: WaitOptions): Promise<void>;
  /** All elements of a multipart reply. @throws as `request`, and OpenFlowLimitError above `maxBytes` (default 256 MiB) */
  multipart<T extends MultipartType>(
    request: MultipartRequest & { readonly type: T },
    options?: WaitOptions & { readonly maxBytes?: number },
  ): Promise<readonly MultipartElements[T][]>;
  /**
   * The parts of a multipart reply as they came, header included, for a caller that reads only some of it. Same errors and bound
   * as `multipart`; `onPart` may keep the bytes.
   */
  multipartParts(
    request: MultipartRequest,
    onPart: (part: Uint8Array) => void,
    options?: WaitOptions & { readonly maxBytes?: number },
  ): Promise<void>;
  /** Resolves when the switch has done everything sent before. */
  barrier(options?: WaitOptions): Promise<void>;
  /**
   * Applies all mods in their order as one atomic bundle, or none of them. No mods: nothing is sent.
   * @throws OpenFlowTimeoutError, OpenFlowClosedError: the outcome is unknown
   * @throws what `commitAfter` rejects with: nothing is applied
   */
  apply(mods: readonly Mod[] | SharedMessages<Mod>, options?: ApplyOptions): Promise<ApplyResult>;
  /** Calls `listener` for each message of this kind that answers nothing. Returns the function that ends it. */
  on<K extends Message['kind']>(kind: K, listener: (message: MessageOf<K>) => void): () => void;
  /** Ends the session; what waits for an answer is rejected. */
  close(): void;
}

const MAX_MULTIPART_BYTES = 256 * 1024 * 1024;

class Session implements OpenFlowSession {
  version: Version;
  features!: FeaturesReply;
  readonly xids = new XidTable<Incoming>();
  readonly closed: Promise<CloseReason>;
  readonly #clock: Clock;
  readonly #requestTimeoutMs: number;
  readonly #ours: readonly Version[];
  readonly #transport: Transport;
  readonly #listeners = new Map<Message['kind'], Set<(message: never) => void>>();
  readonly #greeted = deferred<void>();
  #negotiated = false;
  #received = 0;
  #lastBundleId = 0;

  constructor(
    socket: Socket,
    readonly remote: string,
    private readonly options: SessionOptions,
  ) {
    this.#ours = byWireDescending(options.versions ?? (Object.keys(VERSIONS) as Version[]));
    const highest = this.#ours[0];
    if (highest === undefined) throw new RangeError('no OpenFlow version is allowed');
    this.version = highest;
    this.#clock = options.clock ?? systemClock;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 30_000;
    const { promise, resolve } = deferred<CloseReason>();
    this.closed = promise;
    this.#greeted.promise.catch(() => undefined);
    this.#transport = new Transport({
      socket,
      maxUnsentBytes: options.maxUnsentBytes ?? 32 * 1024 * 1024,
      onMessage: (bytes) => this.#receive(bytes),
      onClose: (reason) => {
        const error = new OpenFlowClosedError(reason);
        this.#greeted.reject(error);
        this.xids.failAll(error);
        CHANNELS.sessionClose.publish({ remote, datapathId: this.features?.datapathId, reason });
        resolve(reason);
      },
    });
  }

  get datapathId(): bigint {
    return this.features.datapathId;
  }

  async handshake(signal?: AbortSignal): Promise<void> {
    const work = async () => {
      const versions = this.#ours.map((version) => VERSIONS[version]);
      await this.#post({ kind: 'hello', versions }, this.xids.allocate());
      await this.#greeted.promise;
      const features = await this.call({ kind: 'features_request' }, this.xids.allocate());
      if (features.kind !== 'features_reply')
        throw new OpenFlowProtocolError(`a ${features.kind} answers the features request`);
      this.features = features;
    };
    try {
      await withDeadline(work(), 'handshake', this.#clock, this.options.handshakeTimeoutMs ?? 10_000, signal, () =>
        this.#transport.close({ kind: 'silent' }),
      );
    } catch (error) {
      this.#transport.close({ kind: 'protocol', error: error as Error });
      throw error;
    }
    const stop = startKeepalive({
      clock: this.#clock,
      intervalMs: this.options.echoIntervalMs ?? 5000,
      received: () => this.#received,
      probe: () => this.#reply({ kind: 'echo_request', data: new Uint8Array() }, this.xids.allocate()),
      onSilent: () => this.#transport.close({ kind: 'silent' }),
    });
    void this.closed.then(stop);
    CHANNELS.sessionOpen.publish({ remote: this.remote, version: this.version, datapathId: this.datapathId });
  }

  async send(message: Message | SharedMessages): Promise<void> {
    if (!(message instanceof SharedMessages)) return this.#post(message, this.xids.allocate());
    const first = this.xids.allocateRange(Math.max(1, message.messages.length));
    await this.#transport.write(message.plain(this.version, first));
  }

  request(message: Message, options: WaitOptions = {}): Promise<Message> {
    const xid = this.xids.allocate();
    return this.#deadline(this.call(message, xid), message.kind, options, () => this.xids.forget(xid));
  }

  multipart<T extends MultipartType>(
    request: MultipartRequest & { readonly type: T },
    options: WaitOptions & { readonly maxBytes?: number } = {},
  ): Promise<readonly MultipartElements[T][]> {
    const xid = this.xids.allocate();
    const collector = new MultipartCollector<T>(request.type, options.maxBytes ?? MAX_MULTIPART_BYTES);
    this.xids.wait(xid, collector);
    this.#post(request, xid).catch((error) => this.xids.fail(xid, error));
    return this.#deadline(collector.done, `multipart_request ${request.type}`, options, () => this.xids.forget(xid));
  }

  multipartParts(
    request: MultipartRequest,
    onPart: (part: Uint8Array) => void,
    options: WaitOptions & { readonly maxBytes?: number } = {},
  ): Promise<void> {
    const xid = this.xids.allocate();
    const collector = new PartCollector(request.type, options.maxBytes ?? MAX_MULTIPART_BYTES, onPart);
    this.xids.wait(xid, collector);
    this.#post(request, xid).catch((error) => this.xids.fail(xid, error));
    return this.#deadline(collector.done, `multipart_request ${request.type}`, options, () => this.xids.forget(xid));
  }

  async barrier(options: WaitOptions = {}): Promise<void> {
    await this.request({ kind: 'barrier_request' }, options);
  }

  async confirm(message: Message, options: WaitOptions = {}): Promise<void> {
    const xid = this.xids.allocate();
    let refusal: OpenFlowPeerError | undefined;
    const unwatch = this.xids.watch(xid, 1, (_, { message: answer }) => {
      if (answer.kind === 'error') refusal = new OpenFlowPeerError(answer, message.kind);
    });
    try {
      await this.#post(message, xid);
      await this.barrier(options);
    } finally {
      unwatch();
    }
    if (refusal !== undefined) throw refusal;
  }

  apply(mods: readonly Mod[] | SharedMessages<Mod>, options: ApplyOptions = {}): Promise<ApplyResult> {
    this.#lastBundleId = (this.#lastBundleId % 0xffff_ffff) + 1;
    let abandoned = false;
    const gate = { isAbandoned: () => abandoned, commitAfter: options.commitAfter };
    const work = applyBundle(this, this.#lastBundleId, mods, gate);
    return this.#deadline(work, `bundle of ${'messages' in mods ? mods.messages.length : mods.length}`, options, () => {
      abandoned = true;
    });
  }

  on<K extends Message['kind']>(kind: K, listener: (message: MessageOf<K>) => void): () => void {
    const listeners = this.#listeners.get(kind) ?? new Set();
    this.#listeners.set(kind, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  close(): void {
    this.#transport.close({ kind: 'local' });
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#transport.write(bytes);
  }

  together(write: () => void): void {
    this.#transport.together(write);
  }

  call(message: Message, xid: number): Promise<Message> {
    const { promise, resolve, reject } = deferred<Message>();
    this.xids.wait(xid, {
      take: ({ message: answer }) => {
        if (answer.kind === 'error') reject(new OpenFlowPeerError(answer, message.kind));
        else resolve(answer);
        return true;
      },
      fail: reject,
    });
    this.#post(message, xid).catch((error) => this.xids.fail(xid, error));
    return promise;
  }

  async #post(message: Message, xid: number): Promise<void> {
    await this.#transport.write(encodeMessage(message, { version: this.version, xid }));
  }

  /** Sends what nobody waits for. A peer that asks and does not take the answers is given up. */
  #reply(message: Message, xid: number): void {
    this.#post(message, xid).catch((error) => {
      if (error instanceof OpenFlowLimitError) this.#transport.close({ kind: 'overflow' });
      else if (!(error instanceof OpenFlowClosedError)) throw error;
    });
  }

  #deadline<T>(work: Promise<T>, what: string, options: WaitOptions, onGiveUp: () => void): Promise<T> {
    return withDeadline(work, what, this.#clock, options.timeoutMs ?? this.#requestTimeoutMs, options.signal, onGiveUp);
  }

  #receive(bytes: Uint8Array): void {
    this.#received++;
    const header = readHeader(bytes);
    if (!this.#negotiated) {
      this.#greet(bytes);
      return;
    }
    if (header.version !== VERSIONS[this.version]) {
      const error = new OpenFlowProtocolError(`message of version ${header.version} in a session of ${this.version}`);
      this.#transport.close({ kind: 'protocol', error });
      return;
    }
    if (this.xids.deliverBytes(header.xid, bytes)) return;
    let message: Message;
    try {
      message = decodeMessage(bytes).message;
    } catch (error) {
      if (!(error instanceof OpenFlowDecodeError)) throw error;
      // The framing still holds, so one message that cannot be read costs no more than itself.
      if (this.xids.fail(header.xid, error)) return;
      const { remote, features } = this;
      const { type, xid } = header;
      CHANNELS.undecodable.publish({ remote, datapathId: features?.datapathId, type, xid, error });
      return;
    }
    if (message.kind === 'echo_request') this.#reply({ kind: 'echo_reply', data: message.data }, header.xid);
    else if (!this.xids.deliver(header.xid, { message, bytes: bytes.length })) this.#emit(message, header.xid);
  }

  #greet(bytes: Uint8Array): void {
    try {
      const { headerVersion, bitmap } = readHello(bytes);
      const version = commonVersion(this.#ours, headerVersion, bitmap);
      if (version === undefined) {
        const theirs = bitmap?.join(',') ?? `up to ${headerVersion}`;
        const text = `no common version: we speak ${this.#ours.join(', ')}, the peer ${theirs} (wire numbers)`;
        const data = new TextEncoder().encode(text);
        const names = { type: 'OFPET_HELLO_FAILED', code: 'OFPHFC_INCOMPATIBLE', typeNumber: 0, codeNumber: 0 };
        this.#reply({ kind: 'error', ...names, data }, readHeader(bytes).xid);
        throw new OpenFlowProtocolError(text);
      }
      this.version = version;
      this.#negotiated = true;
      this.#greeted.resolve();
    } catch (error) {
      this.#transport.close({ kind: 'protocol', error: error as Error });
    }
  }

  #emit(message: Message, xid: number): void {
    const { remote, features } = this;
    const datapathId = features?.datapathId;
    if (message.kind === 'error') CHANNELS.unmatched.publish({ remote, datapathId, xid, message });
    for (const listener of this.#listeners.get(message.kind) ?? [])
      try {
        listener(message as never);
      } catch (error) {
        CHANNELS.listenerFailed.publish({ remote, datapathId, kind: message.kind, error });
      }
  }
}

/**
 * Does the handshake on a connected socket: hello at the highest common version, then the features of the switch.
 * @throws OpenFlowTimeoutError, OpenFlowClosedError (with what the peer did wrong as its cause), OpenFlowProtocolError
 */
export async function openSession(
  socket: Socket,
  remote: string,
  options: SessionOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<OpenFlowSession> {
  const session = new Session(socket, remote, options);
  await session.handshake(options.signal);
  return session;
}
