import type { Duplex } from 'node:stream';
import type { PlainRequest } from '../cache/plan.js';
import { ReplicaCore } from '../cache/replica.js';
import { type Clock, systemClock } from '../clock.js';
import { ConnectionError, NotationError, OvsdbError, TimeoutError } from '../errors.js';
import { Listeners } from '../listeners.js';
import { isObject } from '../notation/json.js';
import type { Operation, OperationResult } from '../notation/wire.js';
import { type CallOptions, type CloseReason, RpcConnection } from '../rpc/connection.js';
import { parseDatabaseSchema } from '../schema/parse.js';
import type { DatabaseSchema } from '../schema/types.js';
import { TransactionDraft } from '../transaction/builder.js';
import { commitDraft, readResults } from '../transaction/commit.js';
import type { CommitOptions, CommitResult } from '../transaction/types.js';
import { diagnostics } from './diagnostics.js';
import { Lock } from './lock.js';
import type { ClientEvents, ClientState, OvsdbLock, Peer, SessionOptions } from './types.js';
import { Link } from './wait.js';

const DEFAULT_CALL_MS = 30_000;
const DEFAULT_DOWNLOAD_MS = 60_000;
const DEFAULT_PROBE_MS = 5_000;
const DEFAULT_ATTEMPTS = 5;

type DatabaseName = string | { readonly name: string };
const nameOf = (database: DatabaseName): string => (typeof database === 'string' ? database : database.name);

/** Looks at a new connection before it is used; rejects to have it closed. */
export type Gate = (connection: RpcConnection) => Promise<void>;

/** OvsdbClient without types; see OvsdbClient for the meaning of its members. */
export class ClientCore {
  readonly ready: Promise<void>;
  readonly closed: Promise<CloseReason>;
  readonly #clock: Clock;
  readonly #options: SessionOptions;
  readonly #link: Link;
  readonly #connected = new Listeners<[]>();
  readonly #disconnected = new Listeners<[CloseReason]>();
  readonly #ended = new Listeners<[CloseReason]>();
  readonly #replicas = new Map<string, ReplicaCore>();
  readonly #locks = new Map<string, Lock>();
  readonly #schemas = new Map<string, Promise<DatabaseSchema>>();
  #peer: Peer;
  #state: ClientState = 'connecting';
  #connection: RpcConnection | undefined;
  #nextMonitor = 0;
  #endReason: CloseReason | undefined;

  constructor(peer: Peer, options: SessionOptions) {
    this.#peer = peer;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#link = new Link(this.#clock);
    this.ready = this.#link.whenUp('ready', {}).then(() => undefined);
    // Whoever awaits it sees the rejection; a client that nobody awaits must not end the process.
    this.ready.catch(() => undefined);
    this.closed = new Promise((resolve) => {
      this.#ended.add(resolve);
    });
  }

  get peer(): Peer {
    return this.#peer;
  }

  get state(): ClientState {
    return this.#state;
  }

  get endReason(): CloseReason | undefined {
    return this.#endReason;
  }

  async listDbs(options: CallOptions = {}): Promise<readonly string[]> {
    const names = await this.request('list_dbs', [], options);
    if (!Array.isArray(names)) throw new NotationError('list_dbs', 'want an array');
    return names.map(String);
  }

  async getSchema(database: string, options: CallOptions = {}): Promise<DatabaseSchema> {
    const connection = await this.#link.whenUp('get_schema', { timeoutMs: DEFAULT_CALL_MS, ...options });
    return this.#schemaOn(connection, database, options);
  }

  async echo(options: CallOptions = {}): Promise<void> {
    await this.request('echo', [], options);
  }

  async getServerId(options: CallOptions = {}): Promise<string> {
    return String(await this.request('get_server_id', [], options));
  }

  async transact(
    database: string,
    operations: readonly Operation[],
    options: CallOptions = {},
  ): Promise<OperationResult[]> {
    return readResults(await this.request('transact', [database, ...operations], options));
  }

  transaction(database: DatabaseName): TransactionDraft {
    const port = {
      now: () => this.#clock.now(),
      getSchema: (name: string, options: CallOptions) => this.getSchema(name, options),
      transact: (name: string, operations: readonly Operation[], options: CallOptions) =>
        this.transact(name, operations, options),
    };
    return new TransactionDraft(nameOf(database), (draft, options) => commitDraft(port, draft, options));
  }

  async retryTransaction(
    database: DatabaseName,
    build: (transaction: TransactionDraft) => void | Promise<void>,
    options: CommitOptions & { readonly attempts?: number } = {},
  ): Promise<CommitResult> {
    const { attempts = DEFAULT_ATTEMPTS, ...commit } = options;
    for (let attempt = 1; ; attempt++) {
      const draft = this.transaction(database);
      await build(draft);
      try {
        return await draft.commit(commit);
      } catch (error) {
        // Only a wait that did not hold proves that nothing happened and that a new look may help.
        if (!(error instanceof OvsdbError && error.code === 'timed out') || attempt >= attempts) throw error;
      }
    }
  }

  async monitor(database: DatabaseName, request: PlainRequest, options: CallOptions = {}): Promise<ReplicaCore> {
    const { timeoutMs = DEFAULT_DOWNLOAD_MS, signal } = options;
    const id = `m${this.#nextMonitor++}`;
    const replica = new ReplicaCore(nameOf(database), id, request, this.#clock, () => this.#replicas.delete(id));
    const limits = { timeoutMs, ...(signal === undefined ? {} : { signal }) };
    const until = this.#clock.now() + timeoutMs;
    const connection = await this.#link.whenUp('monitor', limits);
    this.#replicas.set(id, replica);
    const left = (): CallOptions => ({ ...limits, timeoutMs: Math.max(1, until - this.#clock.now()) });
    try {
      await this.#withDeadline('monitor', this.#startReplica(connection, replica), left()).catch((error) => {
        if (!(error instanceof ConnectionError) || this.#endReason !== undefined) throw error;
        // The next connection asks again for every replica, this one included.
        return replica.waitFor((each) => each.state === 'synced', left());
      });
      return replica;
    } catch (error) {
      replica.close();
      throw error;
    }
  }

  async lock(id: string, options: CallOptions & { readonly steal?: boolean } = {}): Promise<OvsdbLock> {
    if (this.#locks.has(id)) throw new NotationError(`lock ${id}`, 'this client asked for it already');
    const { steal = false, ...limits } = options;
    const lock = new Lock(id, steal, {
      waitFor: (what, holds, listeners, waitLimits) => this.#waitLock(what, holds, listeners, waitLimits),
      unlock: async (name) => {
        this.#locks.delete(name);
        if (this.#connection !== undefined) await this.request('unlock', [name]);
      },
    });
    const connection = await this.#link.whenUp('lock', { timeoutMs: DEFAULT_CALL_MS, ...limits });
    this.#locks.set(id, lock);
    try {
      await this.#withDeadline('lock', this.#askLock(connection, lock, steal), limits);
    } catch (error) {
      this.#locks.delete(id);
      throw error;
    }
    return lock;
  }

  async request(method: string, params: readonly unknown[], options: CallOptions = {}): Promise<unknown> {
    const { timeoutMs = DEFAULT_CALL_MS, signal } = options;
    const limits = signal === undefined ? { timeoutMs } : { timeoutMs, signal };
    const until = this.#clock.now() + timeoutMs;
    const connection = this.#link.current ?? (await this.#link.whenUp(method, limits));
    const left = Math.max(1, until - this.#clock.now());
    return connection.request(method, params, { ...limits, timeoutMs: left });
  }

  on(event: keyof ClientEvents, listener: (reason: CloseReason) => void): () => void {
    return event === 'connected' ? this.#connected.add(listener as () => void) : this.#disconnected.add(listener);
  }

  async close(): Promise<void> {
    this.end({ kind: 'closed' });
    await this.closed;
  }

  /** Called when the client ends, at once if it has. */
  onEnd(listener: (reason: CloseReason) => void): () => void {
    if (this.#endReason !== undefined) listener(this.#endReason);
    return this.#ended.add(listener);
  }

  /** Uses a stream until it ends. The gate decides whether it becomes the client's connection. */
  run(socket: Duplex, peer: Peer, gate?: Gate): Promise<CloseReason> {
    return new Promise((resolve) => {
      const connection: RpcConnection = new RpcConnection(
        socket,
        {
          notification: (method, params) => this.#notification(connection, method, params),
          closed: (reason) => {
            this.#down(connection, reason);
            resolve(reason);
          },
        },
        {
          clock: this.#clock,
          probeIntervalMs: this.#options.probeIntervalMs ?? (peer.target.startsWith('unix:') ? 0 : DEFAULT_PROBE_MS),
          ...(this.#options.maxMessageBytes === undefined ? {} : { maxMessageBytes: this.#options.maxMessageBytes }),
        },
      );
      this.#connection = connection;
      if (gate === undefined) {
        this.#up(connection, peer);
        return;
      }
      gate(connection).then(
        () => this.#up(connection, peer),
        (error) => connection.close({ kind: 'lost', error: error as Error }),
      );
    });
  }

  /** Ends the client for good. */
  end(reason: CloseReason): void {
    if (this.#endReason !== undefined) return;
    this.#endReason = reason;
    this.#connection?.close(reason);
    this.#state = 'closed';
    this.#link.end(reason);
    for (const replica of [...this.#replicas.values()]) replica.close();
    this.#ended.emit(reason);
  }

  #up(connection: RpcConnection, peer: Peer): void {
    if (connection.closeReason !== undefined) return;
    this.#peer = peer;
    this.#state = 'connected';
    if (this.#options.dbChangeAware === true) connection.call('set_db_change_aware', [true], () => {});
    for (const replica of this.#replicas.values()) this.#resync(connection, replica);
    for (const lock of this.#locks.values()) this.#relock(connection, lock);
    diagnostics.connected.publish({ target: peer.target });
    this.#link.up(connection);
    this.#connected.emit();
  }

  #down(connection: RpcConnection, reason: CloseReason): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#schemas.clear();
    if (this.#state !== 'connected') return;
    this.#state = 'disconnected';
    this.#link.down();
    for (const replica of this.#replicas.values()) replica.stale();
    for (const lock of this.#locks.values()) lock.set(false);
    diagnostics.disconnected.publish({ target: this.#peer.target, reason: reason.kind, error: reason.error });
    this.#disconnected.emit(reason);
  }

  #notification(connection: RpcConnection, method: string, params: readonly unknown[]): void {
    if (connection !== this.#connection) return;
    const [id] = params;
    if (method === 'update' || method === 'update2' || method === 'update3') {
      if (typeof id === 'string') this.#replicas.get(id)?.update(method, params);
    } else if (method === 'monitor_canceled' && typeof id === 'string') {
      const replica = this.#replicas.get(id);
      if (replica === undefined) return;
      // Its database was converted, or is gone; the schema that we know is no longer good.
      this.#schemas.delete(replica.database);
      replica.stale();
      this.#resync(connection, replica);
    } else if ((method === 'locked' || method === 'stolen') && typeof id === 'string') {
      this.#locks.get(id)?.set(method === 'locked');
    }
  }

  #schemaOn(connection: RpcConnection, database: string, options: CallOptions): Promise<DatabaseSchema> {
    const known = this.#schemas.get(database);
    if (known !== undefined) return known;
    const asked = connection
      .request('get_schema', [database], { timeoutMs: DEFAULT_CALL_MS, ...options })
      .then(parseDatabaseSchema);
    this.#schemas.set(database, asked);
    asked.catch(() => this.#schemas.delete(database));
    return asked;
  }

  async #startReplica(connection: RpcConnection, replica: ReplicaCore): Promise<void> {
    const schema = await this.#schemaOn(connection, replica.database, {});
    await new Promise<void>((resolve, reject) => {
      const transport = {
        call: connection.call.bind(connection),
        notifyCancel: (id: string) => connection.call('monitor_cancel', [id], () => {}),
      };
      replica.start(transport, schema, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  #resync(connection: RpcConnection, replica: ReplicaCore): void {
    this.#withDeadline('monitor', this.#startReplica(connection, replica), { timeoutMs: DEFAULT_DOWNLOAD_MS }).catch(
      // A server that does not give back what it gave before is of no use: leave it, and try again after a pause.
      (error) => connection.close({ kind: 'protocol-error', error: error as Error }),
    );
  }

  async #askLock(connection: RpcConnection, lock: Lock, steal: boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      // Taken in the order of arrival: a "stolen" that follows at once must not be overwritten by this answer.
      connection.call(steal ? 'steal' : 'lock', [lock.id], (error, result) => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        lock.set(isObject(result) && result.locked === true);
        resolve();
      });
    });
  }

  #relock(connection: RpcConnection, lock: Lock): void {
    // Never "steal" again: whoever took the lock in the meantime may have done so for a reason.
    this.#askLock(connection, lock, false).catch((error) =>
      connection.close({ kind: 'protocol-error', error: error as Error }),
    );
  }

  #waitLock(what: string, holds: () => boolean, listeners: Listeners<[boolean]>, limits: CallOptions): Promise<void> {
    if (holds()) return Promise.resolve();
    let stop: () => void = () => {};
    let stopEnd: () => void = () => {};
    const owned = new Promise<void>((resolve, reject) => {
      stop = listeners.add((now) => {
        if (now) resolve();
      });
      stopEnd = this.onEnd((reason) => reject(new ConnectionError(`client has ended (${reason.kind})`)));
    });
    return this.#withDeadline(what, owned, limits).finally(() => {
      stop();
      stopEnd();
    });
  }

  /** Ends the wait for a promise by deadline or signal; the promise itself goes on. */
  #withDeadline<V>(
    what: string,
    promise: Promise<V>,
    { timeoutMs = DEFAULT_CALL_MS, signal }: CallOptions,
  ): Promise<V> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) reject(signal.reason);
      const onAbort = (): void => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      const stopTimer = this.#clock.schedule(timeoutMs, () => reject(new TimeoutError(what, timeoutMs, 'unknown')));
      promise.then(resolve, reject).finally(() => {
        stopTimer();
        signal?.removeEventListener('abort', onAbort);
      });
    });
  }
}
