import { mkdtemp, rm } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../clock.js';
import type { AnyRow } from '../model/tables.js';
import type { OperationResult } from '../notation/wire.js';
import { RpcConnection } from '../rpc/connection.js';
import { openServer, openSocket } from '../session/sockets.js';
import { formatTarget, parseTarget, type Target } from '../session/target.js';
import type { TlsOptions } from '../session/types.js';
import { decodeRow } from '../transaction/builder.js';
import { readResults } from '../transaction/commit.js';
import { ServerCore } from './core.js';
import { writeColumns } from './engine/row.js';
import { SERVER_SCHEMA } from './server-schema.js';
import { ServerSession } from './session.js';
import { FakeVswitchd, type VswitchdOptions } from './vswitchd.js';

/** How the test server is made. */
export interface TestServerOptions {
  /** Parsed schema files (.ovsschema). */
  readonly schemas: readonly unknown[];
  /** Addresses to listen on; a unix socket in a temporary folder unless told. */
  readonly listen?: readonly string[];
  /** Targets to dial, as a real server does after `ovs-vsctl set-manager`; dialled again when lost. */
  readonly dial?: readonly string[];
  readonly tls?: TlsOptions;
  /** Transactions kept for monitor_cond_since, as clustered servers do; 0 unless told, as in a standalone server. */
  readonly history?: number;
  /** Methods that the server does not know, to play an older one. */
  readonly without?: readonly string[];
  /** Plays ovs-vswitchd too (database Open_vSwitch). */
  readonly vswitchd?: boolean | VswitchdOptions;
  readonly clock?: Clock;
}

/** What the `_Server` database says of a database. */
export interface Standing {
  readonly model?: 'standalone' | 'clustered' | 'relay';
  readonly connected?: boolean;
  readonly leader?: boolean;
  readonly index?: number;
}

/** An OVSDB server in this process. */
export interface TestServer {
  /** Where to connect: the first address. */
  readonly target: string;
  readonly addresses: readonly string[];
  /** Clients connected now. */
  readonly sessions: number;
  /** Runs operations in wire notation, past all sessions. Throws OvsdbError. */
  transact(database: string, ...operations: readonly object[]): readonly OperationResult[];
  /** The rows of a table as TypeScript values. */
  rows(database: string, table: string): readonly AnyRow[];
  /** Changes what `_Server` says of a database. */
  setStanding(database: string, standing: Standing): void;
  /** Cuts all connections; clients may come back. */
  cutAll(): void;
  /** Stops listening and cuts all connections, the data stays. */
  stop(): Promise<void>;
  /** Listens again after stop. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const REDIAL_MS = 50;

class InMemoryServer implements TestServer {
  addresses: readonly string[] = [];
  readonly #options: TestServerOptions;
  readonly #clock: Clock;
  readonly #core: ServerCore;
  readonly #folder: string;
  readonly #vswitchd: FakeVswitchd | undefined;
  #servers: Server[] = [];
  readonly #stopDialling = new Set<() => void>();
  #running = false;

  constructor(options: TestServerOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#clock = options.clock ?? systemClock;
    this.#core = new ServerCore({
      schemas: [SERVER_SCHEMA, ...options.schemas],
      history: options.history ?? 0,
      without: options.without ?? [],
      clock: this.#clock,
      onChange: (database) => {
        if (database === 'Open_vSwitch') this.#vswitchd?.poke();
      },
    });
    const { vswitchd = false } = options;
    this.#vswitchd = vswitchd === false ? undefined : new FakeVswitchd(this.#core, vswitchd === true ? {} : vswitchd);
    for (const name of this.#core.databaseNames()) {
      const row = { name, model: 'standalone', connected: true, leader: true };
      this.#core.apply('_Server', [{ op: 'insert', table: 'Database', row }]);
    }
    if (this.#vswitchd !== undefined) this.transact('Open_vSwitch', { op: 'insert', table: 'Open_vSwitch', row: {} });
  }

  get target(): string {
    return this.addresses[0] ?? '';
  }

  get sessions(): number {
    return this.#core.sessions.size;
  }

  transact(database: string, ...operations: readonly object[]): readonly OperationResult[] {
    return readResults(this.#core.apply(database, operations));
  }

  rows(database: string, table: string): readonly AnyRow[] {
    const { engine } = this.#core.database(database);
    const found = engine.table(table);
    if (found === undefined) throw new RangeError(`${database} has no table ${table}`);
    const columns = ['_uuid', ...found.schema.columns.keys()];
    return [...found.rows.values()].map((row) =>
      decodeRow(engine.schema, table, writeColumns(found.schema, row, columns)),
    );
  }

  setStanding(database: string, standing: Standing): void {
    this.transact('_Server', { op: 'update', table: 'Database', where: [['name', '==', database]], row: standing });
  }

  cutAll(): void {
    for (const session of [...this.#core.sessions]) session.cut();
  }

  async start(): Promise<void> {
    this.#running = true;
    const wanted =
      this.addresses.length > 0 ? this.addresses : (this.#options.listen ?? [`unix:${join(this.#folder, 'db.sock')}`]);
    const targets = wanted.map(parseTarget);
    this.#servers = targets.map((target) => openServer(target, this.#options.tls, (socket) => this.#serve(socket)));
    await Promise.all(this.#servers.map((server, i) => listening(server, targets[i] as Target)));
    this.addresses = this.#servers.map((server, i) => addressOf(server, targets[i] as Target));
    for (const target of this.#options.dial ?? []) this.#dial(parseTarget(target));
  }

  async stop(): Promise<void> {
    this.#running = false;
    for (const stop of [...this.#stopDialling]) stop();
    const closing = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    this.cutAll();
    await Promise.all(closing);
  }

  restart(): Promise<void> {
    return this.start();
  }

  async close(): Promise<void> {
    this.#vswitchd?.stop();
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #serve(socket: Socket, onClosed: () => void = () => {}): void {
    const session = new ServerSession(this.#core);
    const connection = new RpcConnection(
      socket,
      {
        request: (method, params, reply) => session.request(method, params, reply),
        notification: (method, params) => session.notification(method, params),
        closed: () => {
          session.closed();
          onClosed();
        },
      },
      { clock: this.#clock, probeIntervalMs: 0 },
    );
    session.attach(connection);
    this.#core.join(session);
  }

  #dial(target: Target): void {
    if (!this.#running) return;
    const { socket, readyEvent } = openSocket(target, this.#options.tls);
    const again = (): void => {
      this.#stopDialling.delete(giveUp);
      if (!this.#running) return;
      const stop = this.#clock.schedule(REDIAL_MS, () => {
        this.#stopDialling.delete(stop);
        this.#dial(target);
      });
      this.#stopDialling.add(stop);
    };
    const giveUp = (): void => {
      socket.destroy();
    };
    this.#stopDialling.add(giveUp);
    socket.once('error', again);
    socket.once(readyEvent, () => {
      socket.off('error', again);
      this.#serve(socket, again);
    });
  }
}

function listening(server: Server, target: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(target.kind === 'unix' ? { path: target.path } : { host: target.host, port: target.port }, resolve);
  });
}

function addressOf(server: Server, target: Target): string {
  const address = server.address();
  if (target.kind === 'unix' || address === null || typeof address === 'string') return formatTarget(target);
  return formatTarget({ ...target, port: address.port });
}

/**
 * Starts an OVSDB server in this process that honours its schemas: types, constraints, references, garbage collection,
 * indexes, monitors of all kinds, locks and waits. For tests; nothing is written to disk.
 */
export async function startTestServer(options: TestServerOptions): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'ovsdb-test-'));
  try {
    const server = new InMemoryServer(options, folder);
    await server.start();
    return server;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
