import { unlink } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls';
import type { TlsOptions } from './client.js';
import { CHANNELS } from './diagnostics.js';
import { type Endpoint, formatOpenFlowEndpoint, parseOpenFlowEndpoint } from './endpoint.js';
import { type OpenFlowSession, openSession, type SessionOptions } from './session.js';

/** Where to wait for switches, and what to do with them. */
export interface ServerOptions extends SessionOptions {
  /** `tcp:HOST:PORT`, `ssl:HOST:PORT` (port 0: any free one) and `unix:PATH`. */
  readonly listen: readonly (string | Endpoint)[];
  /** Needed for `ssl`. Peers without a certificate signed by `ca` are refused. */
  readonly tls?: TlsOptions | undefined;
  /** Connections at a time, on each endpoint; more are closed at once. Default 4096. */
  readonly maxConnections?: number | undefined;
  /** A switch has finished the handshake. */
  onSession(session: OpenFlowSession): void;
}

/** A listening server, made by `createOpenFlowServer`. */
export interface OpenFlowServer {
  /** Resolves when every endpoint listens; rejects, with all of them closed, if one cannot. */
  readonly ready: Promise<void>;
  /** What is really listened on, in the notation of `listen`; complete once ready. */
  readonly addresses: readonly string[];
  /** The key and certificates of connections to come; those that there are go on. */
  setTls(tls: TlsOptions): void;
  /** Ends every session and stops listening. */
  close(): Promise<void>;
}

const remoteOf = (socket: Socket, endpoint: Endpoint, n: number): string =>
  endpoint.kind === 'unix' || socket.remoteAddress === undefined
    ? `${formatOpenFlowEndpoint(endpoint)}#${n}`
    : formatOpenFlowEndpoint({ kind: endpoint.kind, host: socket.remoteAddress, port: socket.remotePort ?? 0 });

/** Waits for switches to dial in. One that misbehaves costs its own connection only. */
export function createOpenFlowServer(options: ServerOptions): OpenFlowServer {
  const endpoints = options.listen.map((e) => (typeof e === 'string' ? parseOpenFlowEndpoint(e) : e));
  const sockets = new Set<Socket>();
  const sessions = new Set<OpenFlowSession>();
  const servers: Server[] = [];
  const addresses: string[] = [];
  let { tls } = options;
  let accepted = 0;

  const accept = (socket: Socket, endpoint: Endpoint): void => {
    const remote = remoteOf(socket, endpoint, ++accepted);
    openSession(socket, remote, options).then(
      (session) => {
        sessions.add(session);
        void session.closed.then(() => sessions.delete(session));
        try {
          options.onSession(session);
        } catch (error) {
          CHANNELS.listenerFailed.publish({ remote, datapathId: session.datapathId, kind: 'session', error });
          session.close();
        }
      },
      (error) => CHANNELS.serverRefused.publish({ remote, error }),
    );
  };

  const open = (endpoint: Endpoint): Server => {
    const server =
      endpoint.kind === 'ssl'
        ? createTlsServer({ ...requireTls(endpoint, tls), ...CLIENT_CERTIFICATES }, (s) => accept(s, endpoint))
        : createServer((socket) => accept(socket, endpoint));
    server.maxConnections = options.maxConnections ?? 4096;
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    server.on('tlsClientError', (error: Error, socket: Socket) =>
      CHANNELS.serverRefused.publish({ remote: remoteOf(socket, endpoint, accepted), error }),
    );
    return server;
  };

  const close = async (): Promise<void> => {
    const ends = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const session of sessions) session.close();
    for (const socket of sockets) socket.destroy();
    await Promise.all(ends);
  };

  const start = async (): Promise<void> => {
    try {
      for (const endpoint of endpoints) {
        const server = open(endpoint);
        await listen(server, endpoint);
        servers.push(server);
        server.on('error', (error) =>
          CHANNELS.serverRefused.publish({ remote: formatOpenFlowEndpoint(endpoint), error }),
        );
        const at = endpoint.kind === 'unix' ? endpoint : { ...endpoint, port: (server.address() as AddressInfo).port };
        addresses.push(formatOpenFlowEndpoint(at));
      }
    } catch (error) {
      await close();
      throw error;
    }
  };
  const ready = start();
  // The caller may look at `ready` later than it fails.
  ready.catch(() => undefined);
  return {
    ready,
    addresses,
    setTls: (renewed) => {
      tls = renewed;
      for (const server of servers)
        if (server instanceof TlsServer) server.setSecureContext({ ...renewed, minVersion: MIN_VERSION });
    },
    close: async () => {
      await ready.catch(() => undefined);
      await close();
    },
  };
}

const MIN_VERSION = 'TLSv1.2';
const CLIENT_CERTIFICATES = {
  requestCert: true,
  rejectUnauthorized: true,
  minVersion: MIN_VERSION,
  handshakeTimeout: 10_000,
} as const;

function requireTls(endpoint: Endpoint, tls: TlsOptions | undefined): TlsOptions {
  if (tls === undefined) throw new RangeError(`${formatOpenFlowEndpoint(endpoint)} needs a key and certificates`);
  return tls;
}

async function listen(server: Server, endpoint: Endpoint): Promise<void> {
  try {
    await bind(server, endpoint);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (endpoint.kind !== 'unix' || code !== 'EADDRINUSE' || (await answers(endpoint.path))) throw error;
    // Left over by a process that was killed: nobody answers there.
    await unlink(endpoint.path);
    await bind(server, endpoint);
  }
}

function bind(server: Server, endpoint: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(endpoint.kind === 'unix' ? { path: endpoint.path } : endpoint, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
