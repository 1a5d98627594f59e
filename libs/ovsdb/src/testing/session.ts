import { isObject } from '../notation/json.js';
import { isUuid } from '../notation/uuid.js';
import type { RpcConnection, RpcReply } from '../rpc/connection.js';
import type { ServerCore } from './core.js';
import { OperationError } from './engine/operation-error.js';
import type { EngineChange } from './engine/table.js';
import { ID } from './engine/wire-syntax.js';
import type { LockHolder } from './locks.js';
import { Monitor, type Updates } from './monitor.js';

type Method = (params: readonly unknown[], reply: RpcReply) => void;

const VERSIONS = { monitor: 1, monitor_cond: 2, monitor_cond_since: 3 } as const;

function lockId(method: string, id: unknown): string {
  if (typeof id === 'string' && ID.test(id)) return id;
  throw new OperationError('syntax error', `${method} request params must be <id>`);
}

/** One client of the server. */
export class ServerSession implements LockHolder {
  readonly #core: ServerCore;
  readonly #monitors = new Map<string, Monitor>();
  #connection: RpcConnection | undefined;
  readonly #methods: { readonly [method: string]: Method } = {
    list_dbs: (_params, reply) => reply.result(this.#core.databaseNames()),
    get_schema: ([name], reply) => reply.result(this.#core.database(name, 'get_schema').wireSchema),
    get_server_id: (_params, reply) => reply.result(this.#core.serverId),
    set_db_change_aware: (params, reply) => {
      if (params.length !== 1 || typeof params[0] !== 'boolean')
        throw new OperationError('syntax error', 'set_db_change_aware: true or false parameter expected');
      reply.result({});
    },
    transact: ([name, ...operations], reply) => this.#core.transact(this, name, operations, reply),
    monitor: (params, reply) => this.#monitor('monitor', params, reply),
    monitor_cond: (params, reply) => this.#monitor('monitor_cond', params, reply),
    monitor_cond_since: (params, reply) => this.#monitor('monitor_cond_since', params, reply),
    monitor_cond_change: (params, reply) => this.#changeConditions(params, reply),
    monitor_cancel: ([id], reply) => {
      if (!this.#monitors.delete(JSON.stringify(id))) reply.error({ error: 'unknown monitor' });
      else reply.result({});
    },
    lock: ([id], reply) => this.#lock('lock', id, reply),
    steal: ([id], reply) => this.#lock('steal', id, reply),
    unlock: ([id], reply) => {
      if (!this.#core.locks.leave(lockId('unlock', id), this))
        throw new OperationError('syntax error', 'unlock: "unlock" without "lock" or "steal"', id);
      reply.result({});
    },
  };

  constructor(core: ServerCore) {
    this.#core = core;
  }

  /** Must be called before the first message. */
  attach(connection: RpcConnection): void {
    this.#connection = connection;
  }

  /** Cuts the connection. */
  cut(): void {
    this.#connection?.close({ kind: 'lost' });
  }

  request(method: string, params: readonly unknown[], reply: RpcReply): void {
    const run = this.#core.without.has(method) ? undefined : this.#methods[method];
    if (run === undefined) {
      reply.error({ error: 'unknown method' });
      return;
    }
    try {
      run(params, reply);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      reply.error(error.toWire());
    }
  }

  notification(method: string, params: readonly unknown[]): void {
    if (method === 'cancel') this.#core.cancel(this, params[0]);
  }

  closed(): void {
    this.#monitors.clear();
    this.#core.locks.leaveAll(this);
    this.#core.forget(this);
  }

  locked(id: string): void {
    this.#connection?.notify('locked', [id]);
  }

  stolen(id: string): void {
    this.#connection?.notify('stolen', [id]);
  }

  /** Tells the monitors of a commit. */
  changed(database: string, changes: readonly EngineChange[]): void {
    for (const monitor of this.#monitors.values()) {
      if (monitor.database === database) this.#send(monitor, monitor.updates(changes));
    }
  }

  #send(monitor: Monitor, updates: Updates | undefined): void {
    if (updates === undefined) return;
    if (monitor.version === 1) this.#connection?.notify('update', [monitor.id, updates]);
    else if (monitor.version === 2) this.#connection?.notify('update2', [monitor.id, updates]);
    else this.#connection?.notify('update3', [monitor.id, this.#core.database(monitor.database).history.last, updates]);
  }

  #monitor(method: keyof typeof VERSIONS, params: readonly unknown[], reply: RpcReply): void {
    const [name, id, requests, since] = params;
    const version = VERSIONS[method];
    const { engine, history } = this.#core.database(name, method);
    if (params.length !== (version === 3 ? 4 : 3)) throw new OperationError('syntax error', 'invalid parameters');
    if (version === 3 && !(typeof since === 'string' && isUuid(since)))
      throw new OperationError('syntax error', 'last-txn-id must be UUID format.');
    const key = JSON.stringify(id);
    if (this.#monitors.has(key)) throw new OperationError('syntax error', 'duplicate monitor ID', id);
    const monitor = new Monitor(id, version, engine, requests);
    this.#monitors.set(key, monitor);
    if (version !== 3) {
      reply.result(monitor.initial());
      return;
    }
    const missed = history.since(String(since));
    if (missed === undefined) reply.result([false, history.last, monitor.initial()]);
    else reply.result([true, history.last, monitor.updates(missed) ?? {}]);
  }

  #changeConditions(params: readonly unknown[], reply: RpcReply): void {
    const [oldId, newId, requests] = params;
    const monitor = this.#monitors.get(JSON.stringify(oldId));
    if (monitor === undefined) throw new OperationError('syntax error', 'unknown monitor session', oldId);
    if (JSON.stringify(newId) !== JSON.stringify(oldId)) {
      throw new OperationError('not supported', 'this server keeps the monitor id', newId);
    }
    if (!isObject(requests)) throw new OperationError('syntax error', 'object expected', requests);
    this.#send(monitor, monitor.changeConditions(requests));
    reply.result({});
  }

  #lock(method: 'lock' | 'steal', id: unknown, reply: RpcReply): void {
    const owned = this.#core.locks.join(lockId(method, id), this, method === 'steal');
    if (owned === undefined) throw new OperationError('syntax error', 'must issue "unlock" before new "lock"', id);
    reply.result({ locked: owned });
  }
}
