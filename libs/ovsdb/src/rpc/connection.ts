import type { Duplex } from 'node:stream';
import type { Clock } from '../clock.js';
import { ConnectionError, NotationError, OvsdbError, TimeoutError } from '../errors.js';
import { formatJson, isObject, type JsonObject } from '../notation/json.js';
import { JsonStream, type JsonStreamLimits } from './json-stream.js';
import type { JsonText } from './json-text.js';

/** Why a connection ended. */
export interface CloseReason {
  /**
   * `closed`: by us; `peer-closed`: by the peer, in order; `lost`: the transport failed; `probe-timeout`: the peer
   * stopped answering; `protocol-error`: the peer sent what is no OVSDB; `slow-peer`: the peer does not read.
   */
  readonly kind: 'closed' | 'peer-closed' | 'lost' | 'probe-timeout' | 'protocol-error' | 'slow-peer';
  readonly error?: Error;
}

/** Who handles what the peer starts. */
export interface RpcHandler {
  /** A message with method and id. Answer through `reply`, now or later. `echo` does not come here. */
  request?(method: string, params: readonly unknown[], reply: RpcReply): void;
  /** A message with method and no id. */
  notification?(method: string, params: readonly unknown[]): void;
  /** Called once. */
  closed(reason: CloseReason): void;
}

/** Answers one request of the peer. */
export interface RpcReply {
  readonly id: unknown;
  result(value: unknown): void;
  error(value: unknown): void;
}

/** Settings of one connection. */
export interface RpcOptions extends JsonStreamLimits {
  readonly clock: Clock;
  /** Idle time in milliseconds after which an echo is sent; as long again without an answer ends the connection. 0: never. */
  readonly probeIntervalMs: number;
  /** Answers to the peer that may wait unsent, in bytes, before the connection is ended. */
  readonly maxUnsentBytes?: number;
}

/** Deadline and abort of one call. */
export interface CallOptions {
  /** Milliseconds until the call ends with TimeoutError. */
  readonly timeoutMs?: number;
  /** Ends the call with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Called with the answer, at once as it is read: before any later message is looked at. */
export type ReplyHandler = (error: Error | undefined, result: unknown) => void;

interface WaitingCall {
  readonly onReply: ReplyHandler;
  /** A large result is handed over as JsonText. */
  readonly lazy: boolean;
}

const FLUSH_CHARACTERS = 64 * 1024;
const LINGER_MS = 2_000;
const DEFAULT_MAX_UNSENT_BYTES = 64 * 1024 * 1024;

function errorOfReply(error: unknown): OvsdbError {
  if (typeof error === 'string') return new OvsdbError(error);
  if (isObject(error) && typeof error.error === 'string') {
    return new OvsdbError(error.error, typeof error.details === 'string' ? error.details : undefined);
  }
  return new OvsdbError('bad reply', formatJson(error));
}

/** JSON-RPC 1.0 in both directions over one byte stream (RFC 7047 §4). */
export class RpcConnection {
  readonly #socket: Duplex;
  readonly #handler: RpcHandler;
  readonly #options: RpcOptions;
  readonly #stream: JsonStream;
  readonly #waiting = new Map<number, WaitingCall>();
  /** Sees every notification before the handler does. */
  onNotification: ((method: string, params: readonly unknown[]) => void) | undefined;
  #nextId = 0;
  #outgoing = '';
  #closed: CloseReason | undefined;
  #lastHeard: number;
  #probing = false;
  #stopProbe: (() => void) | undefined;

  constructor(socket: Duplex, handler: RpcHandler, options: RpcOptions) {
    this.#socket = socket;
    this.#handler = handler;
    this.#options = options;
    this.#stream = new JsonStream(options);
    this.#lastHeard = options.clock.now();
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.close({ kind: 'lost', error }));
    socket.on('end', () => this.close({ kind: 'peer-closed' }));
    socket.on('close', () => this.close({ kind: 'lost' }));
    this.#scheduleProbe(options.probeIntervalMs);
  }

  /** Why the connection ended; undefined while it lives. */
  get closeReason(): CloseReason | undefined {
    return this.#closed;
  }

  /** Calls that wait for an answer. */
  get pendingCalls(): number {
    return this.#waiting.size;
  }

  /**
   * Sends a request; the handler is called exactly once. Returns the id of the request. With `lazy`, a large result comes
   * as JsonText.
   */
  call(method: string, params: readonly unknown[], onReply: ReplyHandler, lazy = false): number {
    const id = this.#nextId++;
    if (this.#closed !== undefined) {
      onReply(new ConnectionError('connection is closed', 'not-sent', { cause: this.#closed.error }), undefined);
      return id;
    }
    this.#waiting.set(id, { onReply, lazy });
    this.#send({ method, params, id });
    return id;
  }

  /** Forgets a request: its answer, if it comes, is dropped. */
  forget(id: number): void {
    this.#waiting.delete(id);
  }

  /** Sends a request and waits for its answer. Ends by deadline or signal; a transact is then canceled at the server too. */
  request(method: string, params: readonly unknown[], options: CallOptions = {}): Promise<unknown> {
    const { timeoutMs, signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      let stopTimer: (() => void) | undefined;
      const finish = (settle: () => void): void => {
        stopTimer?.();
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const giveUp = (error: unknown): void => {
        this.forget(id);
        // A blocked "wait" would otherwise stay at the server for ever (RFC 7047 §4.1.4).
        if (method === 'transact') this.notify('cancel', [id]);
        finish(() => reject(error));
      };
      const onAbort = (): void => giveUp(signal?.reason);
      const id = this.call(method, params, (error, result) =>
        finish(() => (error === undefined ? resolve(result) : reject(error))),
      );
      if (!this.#waiting.has(id)) return;
      signal?.addEventListener('abort', onAbort, { once: true });
      if (timeoutMs !== undefined) {
        stopTimer = this.#options.clock.schedule(timeoutMs, () =>
          giveUp(new TimeoutError(method, timeoutMs, 'unknown')),
        );
      }
    });
  }

  /** Sends a notification. */
  notify(method: string, params: readonly unknown[]): void {
    if (this.#closed === undefined) this.#send({ method, params, id: null });
  }

  /** Ends the connection; calls without an answer fail with outcome `unknown`. */
  close(reason: CloseReason = { kind: 'closed' }): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#stopProbe?.();
    if (reason.kind === 'closed') {
      this.#flush();
      this.#socket.end(() => this.#socket.destroy());
      // A peer that does not read would keep the last bytes, and with them the socket.
      this.#options.clock.schedule(LINGER_MS, () => this.#socket.destroy());
    } else {
      this.#socket.destroy();
    }
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#handler.closed(reason);
    const error = new ConnectionError(`connection ended (${reason.kind})`, 'unknown', { cause: reason.error });
    for (const { onReply } of waiting) onReply(error, undefined);
  }

  #send(message: JsonObject): void {
    // Small messages of one turn of the event loop leave in one system call; the peer need not wait for many of them.
    if (this.#outgoing === '') process.nextTick(() => this.#flush());
    this.#outgoing += formatJson(message);
    if (this.#outgoing.length >= FLUSH_CHARACTERS) this.#flush();
  }

  #flush(): void {
    const text = this.#outgoing;
    this.#outgoing = '';
    if (text !== '' && !this.#socket.destroyed) this.#socket.write(text);
  }

  #receive(chunk: Buffer): void {
    if (this.#closed !== undefined) return;
    this.#lastHeard = this.#options.clock.now();
    this.#probing = false;
    try {
      this.#stream.push(
        chunk,
        (message) => {
          if (this.#closed === undefined) this.#dispatch(message);
        },
        (text) => {
          if (this.#closed === undefined) this.#dispatch(this.#open(text));
        },
      );
    } catch (error) {
      if (!(error instanceof NotationError)) throw error;
      this.close({ kind: 'protocol-error', error });
    }
  }

  #dispatch(message: unknown): void {
    if (!isObject(message)) throw new NotationError('message', 'not an object');
    if (typeof message.method !== 'string') {
      this.#dispatchReply(message);
      return;
    }
    if (!Array.isArray(message.params)) throw new NotationError('message.params', 'want an array');
    if (message.id === null || message.id === undefined) {
      this.onNotification?.(message.method, message.params);
      this.#handler.notification?.(message.method, message.params);
      return;
    }
    const reply = this.#replyTo(message.id);
    if (message.method === 'echo') reply.result(message.params);
    else if (this.#handler.request !== undefined) this.#handler.request(message.method, message.params, reply);
    else reply.error({ error: 'unknown method', details: message.method });
  }

  /** Parses a large message, all but a result that its call wants as text. */
  #open(text: JsonText): unknown {
    if (!text.isObject) return text.parse();
    const members = new Map(text.entries());
    const id = members.get('id')?.parse();
    const wantsText = typeof id === 'number' && this.#waiting.get(id)?.lazy === true;
    return Object.fromEntries(
      [...members].map(([name, value]) => [name, name === 'result' && wantsText ? value : value.parse()]),
    );
  }

  #dispatchReply(message: JsonObject): void {
    const id = message.id;
    const call = typeof id === 'number' ? this.#waiting.get(id) : undefined;
    // An answer nobody waits for belongs to a call that was given up.
    if (call === undefined) return;
    const { onReply } = call;
    this.#waiting.delete(id as number);
    if (message.error === null || message.error === undefined) onReply(undefined, message.result);
    else onReply(errorOfReply(message.error), undefined);
  }

  #replyTo(id: unknown): RpcReply {
    const answer = (result: unknown, error: unknown): void => {
      if (this.#closed !== undefined) return;
      if (
        this.#outgoing.length + this.#socket.writableLength >
        (this.#options.maxUnsentBytes ?? DEFAULT_MAX_UNSENT_BYTES)
      ) {
        this.close({ kind: 'slow-peer' });
        return;
      }
      this.#send({ id, result, error });
    };
    return { id, result: (value) => answer(value, null), error: (value) => answer(null, value) };
  }

  #scheduleProbe(delayMs: number): void {
    const { clock, probeIntervalMs } = this.#options;
    if (probeIntervalMs <= 0) return;
    this.#stopProbe = clock.schedule(delayMs, () => {
      const silentMs = clock.now() - this.#lastHeard;
      if (this.#probing) {
        // A program that was busy has read its sockets before this timer runs (libuv polls first), so the answer was seen.
        this.close({ kind: 'probe-timeout' });
        return;
      }
      if (silentMs < probeIntervalMs) {
        this.#scheduleProbe(probeIntervalMs - silentMs);
        return;
      }
      this.#probing = true;
      this.call('echo', [], () => {});
      this.#scheduleProbe(probeIntervalMs);
    });
  }
}
