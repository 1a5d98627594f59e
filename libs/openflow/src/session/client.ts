import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { systemClock } from './clock.js';
import { withDeadline } from './deadline.js';
import { type Endpoint, formatOpenFlowEndpoint, parseOpenFlowEndpoint } from './endpoint.js';
import { type OpenFlowSession, openSession, type SessionOptions } from './session.js';

/** PEM texts. Both sides show a certificate, and each must be signed by `ca`, as Open vSwitch wants it. */
export interface TlsOptions {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  readonly ca: string | Buffer;
}

/** Whom to dial, and how. */
export interface ConnectOptions extends SessionOptions {
  /** `unix:PATH`, `tcp:HOST:PORT` or `ssl:HOST:PORT`; the management socket of a bridge is `unix:RUNDIR/BRIDGE.mgmt`. */
  readonly target: string | Endpoint;
  readonly signal?: AbortSignal | undefined;
  readonly tls?: TlsOptions | undefined;
}

function dial(endpoint: Endpoint, tls: TlsOptions | undefined): Socket {
  if (endpoint.kind === 'unix') return connect({ path: endpoint.path });
  const { host, port } = endpoint;
  if (endpoint.kind === 'tcp') return connect({ host, port });
  if (tls === undefined) throw new RangeError(`${formatOpenFlowEndpoint(endpoint)} needs a key and certificates`);
  // Certificates made by ovs-pki carry no host names; Open vSwitch too checks the authority and nothing else.
  return connectTls({ host, port, ...tls, minVersion: 'TLSv1.2', checkServerIdentity: () => undefined });
}

function connected(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => {
      socket.off('error', reject);
      resolve();
    });
    socket.once('error', reject);
  });
}

/**
 * Dials a peer and leaves the handshake to the caller: a connected socket, with TLS for `ssl`.
 * @throws RangeError for a target that cannot be read; the network's or TLS's error
 */
export async function connectSocket(options: ConnectOptions): Promise<Socket> {
  const endpoint = typeof options.target === 'string' ? parseOpenFlowEndpoint(options.target) : options.target;
  options.signal?.throwIfAborted();
  const socket = dial(endpoint, options.tls);
  const clock = options.clock ?? systemClock;
  const event = endpoint.kind === 'ssl' ? 'secureConnect' : 'connect';
  try {
    const wait = options.handshakeTimeoutMs ?? 10_000;
    const what = `connect to ${formatOpenFlowEndpoint(endpoint)}`;
    await withDeadline(connected(socket, event), what, clock, wait, options.signal);
  } catch (error) {
    socket.on('error', () => undefined);
    socket.destroy();
    throw error;
  }
  return socket;
}

/**
 * Dials a switch and does the handshake. One attempt; it does not reconnect.
 * @throws RangeError for a target that cannot be read; the network's or TLS's error; errors of the handshake
 */
export async function connectOpenFlow(options: ConnectOptions): Promise<OpenFlowSession> {
  const endpoint = typeof options.target === 'string' ? parseOpenFlowEndpoint(options.target) : options.target;
  return openSession(await connectSocket(options), formatOpenFlowEndpoint(endpoint), options);
}
