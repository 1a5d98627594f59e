import type { MonitorRequest, Replica } from '../cache/types.js';
import type { Clock } from '../clock.js';
import type { OpenVSwitchTables } from '../generated/open-vswitch.js';
import type { AnyTables, DatabaseRef, DatabaseTypes } from '../model/tables.js';
import type { Operation, OperationResult } from '../notation/wire.js';
import type { CallOptions, CloseReason } from '../rpc/connection.js';
import type { DatabaseSchema } from '../schema/types.js';
import type { CommitOptions, CommitResult, Transaction } from '../transaction/types.js';

/** Certificates in PEM. Both sides present one; the chain is verified against `ca`. */
export interface TlsOptions {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  readonly ca: string | Buffer | readonly (string | Buffer)[];
  /**
   * Also require this name in the server's certificate. Certificates of an Open vSwitch PKI carry no host names, so by
   * default only the chain is verified.
   */
  readonly serverName?: string;
}

/** Pauses between attempts to connect: doubled from minMs to maxMs, each shortened by up to a half at random. */
export interface ReconnectOptions {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Settings of one connection, dialled or accepted. */
export interface SessionOptions {
  readonly tls?: TlsOptions;
  /** Idle milliseconds before an echo probe; 5000 unless told, 0 for unix sockets; 0 means never. */
  readonly probeIntervalMs?: number;
  /**
   * Keep the connection when a database is converted, added or removed (ovsdb-server(7) §4.1.16, set_db_change_aware);
   * the replicas concerned are downloaded anew. Otherwise the server ends the connection then, and everything is.
   */
  readonly dbChangeAware?: boolean;
  /** Bound of one incoming message in bytes; 128 MiB unless told. */
  readonly maxMessageBytes?: number;
  readonly clock?: Clock;
}

/** How to connect. */
export interface ConnectOptions extends SessionOptions {
  /** `unix:PATH`, `tcp:HOST:PORT` or `ssl:HOST:PORT`; several are tried in turn. An IPv6 HOST stands in brackets. */
  readonly target: string | readonly string[];
  /** Closes the client. */
  readonly signal?: AbortSignal;
  /** 100 ms to 8 s unless told; false: one attempt, and no other after a loss. */
  readonly reconnect?: ReconnectOptions | false;
  /** Deadline of one attempt; 10 s unless told. */
  readonly connectTimeoutMs?: number;
  /** Only stay with a server that leads the RAFT cluster of this database (`_Server` database); others are left for the next target. */
  readonly leaderOnly?: string;
  /** Random numbers in [0, 1) for the jitter. */
  readonly random?: () => number;
}

/** Where and how to listen. */
export interface ListenOptions extends SessionOptions {
  /** `tcp:HOST:PORT`, `ssl:HOST:PORT` (port 0: any) or `unix:PATH`. */
  readonly listen: readonly string[];
  /** Called for each peer that dials in, its client connected. */
  readonly onClient: (client: OvsdbClient) => void;
}

/** A listening endpoint. */
export interface OvsdbListener {
  /** Resolves when all endpoints listen; rejects with ConnectionError. */
  readonly ready: Promise<void>;
  /** The endpoints with their real ports; complete once ready. */
  readonly addresses: readonly string[];
  /** Peers connected now. */
  readonly clients: ReadonlySet<OvsdbClient>;
  /** The key and certificates of connections to come; those that there are go on. */
  setTls(tls: TlsOptions): void;
  /** Stops listening and closes all accepted clients. */
  close(): Promise<void>;
}

/** Where a client stands. */
export type ClientState = 'connecting' | 'connected' | 'disconnected' | 'closed';

/** What a client tells. */
export interface ClientEvents {
  connected: () => void;
  disconnected: (reason: CloseReason) => void;
}

/** Who is at the other end. */
export interface Peer {
  /** Our target, or the address that the accepted peer came from. */
  readonly target: string;
  /** Fingerprint and subject's common name of the peer's certificate, over TLS. */
  readonly certificate?: { readonly commonName: string | undefined; readonly fingerprint256: string };
}

/** A lock of the server (RFC 7047 §4.1.8), asked for again after each reconnection. */
export interface OvsdbLock {
  readonly id: string;
  readonly owned: boolean;
  /** Calls back with whether the lock is owned, at each change. Returns the function that stops it. */
  onChange(listener: (owned: boolean) => void): () => void;
  /** Resolves when the lock is owned. */
  acquired(options?: CallOptions): Promise<void>;
  /** Gives the lock, or the place in the queue for it, back. */
  release(): Promise<void>;
}

/** The types that go with a database name: those of a DatabaseRef, the generated ones for `Open_vSwitch`, or none. */
export type TablesOf<N> = N extends DatabaseRef<infer T> ? T : N extends 'Open_vSwitch' ? OpenVSwitchTables : AnyTables;

/** The requests that fit a database name. */
export type RequestOf<N> = MonitorRequest<TablesOf<N>>;

/**
 * One OVSDB server. Calls made while it is not connected wait for the connection, within their deadline. Every call takes
 * a deadline (`timeoutMs`) and a signal, and rejects with OvsdbError, ConnectionError, TimeoutError or the signal's reason.
 */
export interface OvsdbClient {
  readonly peer: Peer;
  readonly state: ClientState;
  /** Resolves at the first connection; rejects when the client is closed before. */
  readonly ready: Promise<void>;
  /** Resolves when the client has ended for good. */
  readonly closed: Promise<CloseReason>;
  /** RFC 7047 §4.1.1. */
  listDbs(options?: CallOptions): Promise<readonly string[]>;
  /** RFC 7047 §4.1.2; kept until the connection is lost. */
  getSchema(database: string, options?: CallOptions): Promise<DatabaseSchema>;
  /** RFC 7047 §4.1.11. */
  echo(options?: CallOptions): Promise<void>;
  /** The id of the server process (ovsdb-server(7) get_server_id). */
  getServerId(options?: CallOptions): Promise<string>;
  /**
   * Operations in the notation of the RFC (RFC 7047 §4.1.3). One answer for each; rejects with OvsdbError when one
   * fails, in which case nothing has happened.
   */
  transact(database: string, operations: readonly Operation[], options?: CallOptions): Promise<OperationResult[]>;
  /** A typed transaction. */
  transaction<const N extends string | DatabaseRef<DatabaseTypes>>(database: N): Transaction<TablesOf<N>>;
  /**
   * Builds and commits a transaction, and does so again when a `verify` or `wait` of it failed because others were faster.
   * `attempts` is 5 unless told.
   */
  retryTransaction<const N extends string | DatabaseRef<DatabaseTypes>>(
    database: N,
    build: (transaction: Transaction<TablesOf<N>>) => void | Promise<void>,
    options?: CommitOptions & { readonly attempts?: number },
  ): Promise<CommitResult>;
  /**
   * Replicates a part of a database. Resolves when the first download is there; it has its own deadline (60 s unless
   * told). The replica follows the client's reconnections until it or the client is closed.
   */
  monitor<const N extends string | DatabaseRef<DatabaseTypes>, const R extends RequestOf<N>>(
    database: N,
    request: R,
    options?: CallOptions,
  ): Promise<Replica<TablesOf<N>, R>>;
  /** Asks for a lock (RFC 7047 §4.1.8), with `steal` without waiting for its owner (§4.1.9). */
  lock(id: string, options?: CallOptions & { readonly steal?: boolean }): Promise<OvsdbLock>;
  /** Any other method of the server. */
  request(method: string, params: readonly unknown[], options?: CallOptions): Promise<unknown>;
  /** Returns the function that stops the listener. */
  on<E extends keyof ClientEvents>(event: E, listener: ClientEvents[E]): () => void;
  /** Ends the client: calls, replicas and locks end with it. */
  close(): Promise<void>;
}
