import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { RpcReply } from '../rpc/connection.js';
import { parseDatabaseSchema } from '../schema/parse.js';
import { EngineDatabase, type TransactionContext } from './engine/database.js';
import { Blocked, OperationError } from './engine/operation-error.js';
import type { EngineChange } from './engine/table.js';
import { History } from './history.js';
import { type LockHolder, Locks } from './locks.js';

/** A session as the core sees it. */
export interface CoreSession extends LockHolder {
  /** Told of every commit. */
  changed(database: string, changes: readonly EngineChange[]): void;
  /** Cuts the connection. */
  cut(): void;
}

/** One database of the server. */
export interface ServedDatabase {
  readonly engine: EngineDatabase;
  readonly history: History;
  /** The schema as it was given. */
  readonly wireSchema: unknown;
}

interface BlockedTransaction {
  readonly session: CoreSession;
  readonly database: string;
  readonly operations: readonly unknown[];
  readonly reply: RpcReply;
  readonly arrivedMs: number;
  stopTimer: (() => void) | undefined;
}

/** What all sessions of a server share. */
export class ServerCore {
  readonly serverId: string = randomUUID();
  readonly locks = new Locks();
  readonly without: ReadonlySet<string>;
  readonly #clock: Clock;
  readonly #databases = new Map<string, ServedDatabase>();
  readonly #sessions = new Set<CoreSession>();
  readonly #blocked = new Set<BlockedTransaction>();
  readonly #onChange: (database: string, changes: readonly EngineChange[]) => void;

  constructor(options: {
    readonly schemas: readonly unknown[];
    readonly history: number;
    readonly without: readonly string[];
    readonly clock: Clock;
    readonly onChange: (database: string, changes: readonly EngineChange[]) => void;
  }) {
    this.without = new Set(options.without);
    this.#clock = options.clock;
    this.#onChange = options.onChange;
    for (const wireSchema of options.schemas) {
      const engine = new EngineDatabase(parseDatabaseSchema(wireSchema));
      this.#databases.set(engine.schema.name, { engine, history: new History(options.history), wireSchema });
    }
  }

  get sessions(): ReadonlySet<CoreSession> {
    return this.#sessions;
  }

  databaseNames(): readonly string[] {
    return [...this.#databases.keys()];
  }

  /** The database that the first parameter of a method names. Throws OperationError. */
  database(name: unknown, method = 'transact'): ServedDatabase {
    if (typeof name !== 'string')
      throw new OperationError('syntax error', `${method} request params must begin with <db-name>`);
    const database = this.#databases.get(name);
    if (database === undefined)
      throw new OperationError('unknown database', `${method} request specifies unknown database ${name}`);
    return database;
  }

  join(session: CoreSession): void {
    this.#sessions.add(session);
  }

  forget(session: CoreSession): void {
    this.#sessions.delete(session);
    for (const blocked of this.#blocked) if (blocked.session === session) this.#unblock(blocked);
  }

  cancel(session: CoreSession, id: unknown): void {
    for (const blocked of this.#blocked) {
      if (blocked.session !== session || blocked.reply.id !== id) continue;
      this.#unblock(blocked);
      blocked.reply.error({ error: 'canceled', details: 'canceled by request' });
    }
  }

  /** Runs a transaction of a client; its answer comes now, or when its `wait` holds or gives up. */
  transact(session: CoreSession, name: unknown, operations: readonly unknown[], reply: RpcReply): void {
    const database = this.database(name).engine.schema.name;
    this.#attempt({ session, database, operations, reply, arrivedMs: this.#clock.now(), stopTimer: undefined });
  }

  /** Runs a transaction of our own; a `wait` that does not hold fails at once. */
  apply(database: string, operations: readonly unknown[]): readonly unknown[] {
    const context: TransactionContext = { elapsedMs: Number.POSITIVE_INFINITY, ownsLock: () => true };
    const { results, changes } = this.database(database).engine.transact(operations, context);
    this.#publish(database, changes);
    return results;
  }

  #attempt(transaction: BlockedTransaction): void {
    const { session, database, operations, reply, arrivedMs } = transaction;
    try {
      const { results, changes } = this.database(database).engine.transact(operations, {
        elapsedMs: this.#clock.now() - arrivedMs,
        ownsLock: (id) => this.locks.owner(id) === session,
      });
      this.#unblock(transaction);
      this.#publish(database, changes);
      reply.result(results);
    } catch (error) {
      if (!(error instanceof Blocked)) throw error;
      this.#blocked.add(transaction);
      transaction.stopTimer?.();
      transaction.stopTimer = undefined;
      if (error.timeoutMs === Number.POSITIVE_INFINITY) return;
      // A timer may fire a little early; one that did would find the wait unfinished and go on for ever in small steps.
      const leftMs = arrivedMs + error.timeoutMs - this.#clock.now() + 1;
      transaction.stopTimer = this.#clock.schedule(leftMs, () => this.#attempt(transaction));
    }
  }

  #unblock(transaction: BlockedTransaction): void {
    transaction.stopTimer?.();
    this.#blocked.delete(transaction);
  }

  #publish(database: string, changes: readonly EngineChange[]): void {
    if (changes.length === 0) return;
    this.database(database).history.add(changes);
    for (const session of this.#sessions) session.changed(database, changes);
    this.#onChange(database, changes);
    for (const blocked of [...this.#blocked]) {
      if (blocked.database === database && this.#blocked.has(blocked)) this.#attempt(blocked);
    }
  }
}
