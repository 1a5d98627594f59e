import type { Clock } from '../clock.js';
import { ConnectionError, NotationError, OvsdbError, TimeoutError } from '../errors.js';
import { Listeners } from '../listeners.js';
import { ZERO_UUID } from '../notation/uuid.js';
import type { ReplyHandler } from '../rpc/connection.js';
import { JsonText } from '../rpc/json-text.js';
import type { DatabaseSchema } from '../schema/types.js';
import { changeOf, MergedChanges, type PlainChange } from './change.js';
import { type RowEdit, readEdits, readSnapshot } from './edits.js';
import { monitorRequests, type PlainRequest, type PlannedTable, planMonitor } from './plan.js';
import { CachedTable } from './table.js';
import type { ReplicaState, WaitOptions } from './types.js';

/** The connection as a replica sees it. */
export interface MonitorTransport {
  /** With `lazy`, a large result comes as JsonText. */
  call(method: string, params: readonly unknown[], onReply: ReplyHandler, lazy?: boolean): void;
  notifyCancel(monitorId: string): void;
}

const DEFAULT_WAIT_MS = 30_000;
const METHODS = ['monitor_cond_since', 'monitor_cond', 'monitor'] as const;
type MonitorMethod = (typeof METHODS)[number];

const parsed = (value: unknown): unknown => (value instanceof JsonText ? value.parse() : value);

/** Reads `[found, last-txn-id, updates]` (ovsdb-server(7) §4.1.15), the updates as they come. Throws NotationError. */
function readSince(result: unknown): [found: unknown, lastTransaction: unknown, updates: unknown] {
  const parts = result instanceof JsonText ? [...result.elements()] : result;
  if (!Array.isArray(parts) || parts.length !== 3) throw new NotationError('monitor_cond_since', 'want three parts');
  return [parsed(parts[0]), parsed(parts[1]), parts[2]];
}

/** Replica without types; see Replica for the meaning of its members. */
export class ReplicaCore {
  readonly database: string;
  readonly id: string;
  readonly #clock: Clock;
  readonly #onClose: () => void;
  #request: PlainRequest;
  #state: ReplicaState = 'stale';
  #schema: DatabaseSchema | undefined;
  #plan: ReadonlyMap<string, PlannedTable> = new Map();
  readonly #tables = new Map<string, CachedTable>();
  #transport: MonitorTransport | undefined;
  #lastTransaction: string = ZERO_UUID;
  readonly #changes = new Listeners<[PlainChange]>();
  readonly #states = new Listeners<[ReplicaState]>();

  constructor(database: string, id: string, request: PlainRequest, clock: Clock, onClose: () => void) {
    this.database = database;
    this.id = id;
    this.#request = request;
    this.#clock = clock;
    this.#onClose = onClose;
  }

  get state(): ReplicaState {
    return this.#state;
  }

  get schema(): DatabaseSchema {
    if (this.#schema === undefined) throw new NotationError(this.database, 'not downloaded yet');
    return this.#schema;
  }

  table(name: string): CachedTable {
    const table = this.#tables.get(name);
    if (table === undefined) throw new RangeError(`${this.database}.${name} is not replicated`);
    return table;
  }

  onChange(listener: (change: PlainChange) => void): () => void {
    return this.#changes.add(listener);
  }

  onState(listener: (state: ReplicaState) => void): () => void {
    return this.#states.add(listener);
  }

  waitFor<V>(predicate: (replica: this) => V | undefined | null | false, options: WaitOptions = {}): Promise<V> {
    const { signal, timeoutMs = DEFAULT_WAIT_MS } = options;
    return new Promise((resolve, reject) => {
      const stops: (() => void)[] = [];
      const finish = (settle: () => void): void => {
        for (const stop of stops.splice(0)) stop();
        settle();
      };
      const check = (): void => {
        try {
          const answer = predicate(this);
          if (answer !== undefined && answer !== null && answer !== false) finish(() => resolve(answer));
          else if (this.#state === 'closed') throw new ConnectionError('replica is closed');
        } catch (error) {
          finish(() => reject(error));
        }
      };
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => finish(() => reject(signal?.reason));
      signal?.addEventListener('abort', onAbort, { once: true });
      stops.push(() => signal?.removeEventListener('abort', onAbort));
      if (timeoutMs !== Number.POSITIVE_INFINITY) {
        const late = (): void => finish(() => reject(new TimeoutError('waitFor', timeoutMs, 'unknown')));
        stops.push(this.#clock.schedule(timeoutMs, late));
      }
      stops.push(this.#changes.add(check), this.#states.add(check));
      check();
    });
  }

  async *changes(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<PlainChange> {
    const { signal } = options;
    const merged = new MergedChanges();
    let wake: () => void = () => {};
    const stops = [
      this.#changes.add((change) => {
        merged.add(change);
        wake();
      }),
      this.#states.add(() => wake()),
    ];
    const onAbort = (): void => wake();
    signal?.addEventListener('abort', onAbort);
    try {
      while (true) {
        signal?.throwIfAborted();
        const change = merged.take();
        if (change !== undefined) yield change;
        else if (this.#state === 'closed') return;
        else if (merged.isEmpty) {
          await new Promise<void>((resolve) => {
            wake = resolve;
            if (signal?.aborted) resolve();
          });
        }
      }
    } finally {
      for (const stop of stops) stop();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  setWhere(where: { readonly [table: string]: readonly unknown[] | undefined }): Promise<void> {
    const entries = Object.entries(where).filter(([, conditions]) => conditions !== undefined);
    const request = { ...this.#request };
    for (const [table, conditions] of entries) {
      if (request[table] === undefined) throw new RangeError(`${this.database}.${table} is not replicated`);
      request[table] = { ...request[table], where: conditions ?? [] };
    }
    const plan = planMonitor(this.schema, request);
    this.#request = request;
    this.#plan = plan;
    // Until the server has taken the conditions, a later connection must not count on the rows we have.
    this.#lastTransaction = ZERO_UUID;
    const transport = this.#transport;
    if (transport === undefined) return Promise.resolve();
    const params = Object.fromEntries(entries.map(([table]) => [table, [{ where: plan.get(table)?.where ?? [] }]]));
    return new Promise((resolve, reject) => {
      transport.call('monitor_cond_change', [this.id, this.id, params], (error) =>
        error === undefined ? resolve() : reject(error),
      );
    });
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#transport?.notifyCancel(this.id);
    this.#transport = undefined;
    this.#setState('closed');
    this.#onClose();
  }

  /** Asks a (new) connection for the rows; calls back when they are in place. */
  start(transport: MonitorTransport, schema: DatabaseSchema, done: (error: Error | undefined) => void): void {
    const plan = planMonitor(schema, this.#request);
    this.#schema = schema;
    this.#plan = plan;
    for (const [name, planned] of plan) {
      const table = this.#tables.get(name);
      if (table === undefined) this.#tables.set(name, new CachedTable(planned));
      else table.follow(planned);
    }
    this.#transport = transport;
    this.#ask(transport, METHODS, done);
  }

  /** The connection is lost: the rows stay, as the last known. */
  stale(): void {
    if (this.#state === 'closed') return;
    this.#transport = undefined;
    this.#setState('stale');
  }

  /** Takes the notification `update`, `update2` or `update3`. Throws NotationError. */
  update(method: string, params: readonly unknown[]): void {
    if (this.#transport === undefined) return;
    const version = method === 'update' ? 1 : 2;
    const edits = readEdits({ plan: this.#plan, tables: this.#tables }, params.at(-1), version);
    if (method === 'update3') this.#lastTransaction = String(params[1]);
    this.#apply('update', edits);
  }

  #ask(transport: MonitorTransport, methods: readonly MonitorMethod[], done: (error: Error | undefined) => void): void {
    const [method, ...older] = methods;
    if (method === undefined) return;
    let params: unknown[];
    try {
      params = [this.database, this.id, monitorRequests(this.#plan, method !== 'monitor')];
    } catch (error) {
      done(error as Error);
      return;
    }
    if (method === 'monitor_cond_since') params.push(this.#lastTransaction);
    const onReply: ReplyHandler = (error, result) => {
      // Closed, or started anew on another connection: this answer concerns nobody.
      if (this.#transport !== transport) {
        done(undefined);
        return;
      }
      if (error instanceof OvsdbError && error.code === 'unknown method' && older.length > 0) {
        this.#ask(transport, older, done);
        return;
      }
      if (error !== undefined) {
        done(error);
        return;
      }
      try {
        this.#install(method, result);
        done(undefined);
      } catch (fault) {
        done(fault as Error);
      }
    };
    transport.call(method, params, onReply, true);
  }

  #install(method: MonitorMethod, result: unknown): void {
    const [found, lastTransaction, updates] =
      method === 'monitor_cond_since' ? readSince(result) : [false, ZERO_UUID, result];
    const version = method === 'monitor' ? 1 : 2;
    // History is kept only by clustered and relay servers, and even those may have dropped it: then a fresh snapshot
    // comes, which is compared with the rows we have and put in place in one step.
    const edits =
      found === true
        ? readEdits({ plan: this.#plan, tables: this.#tables }, parsed(updates), version)
        : readSnapshot(this.#plan, this.#tables, updates, version);
    this.#lastTransaction = String(lastTransaction);
    this.#apply('resync', edits);
    this.#setState('synced');
  }

  #apply(cause: 'update' | 'resync', edits: readonly RowEdit[]): void {
    for (const { table, uuid, before, after } of edits) table.put(uuid, before, after);
    if (edits.length > 0 && this.#changes.size > 0) this.#changes.emit(changeOf(cause, edits));
  }

  #setState(state: ReplicaState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#states.emit(state);
  }
}
