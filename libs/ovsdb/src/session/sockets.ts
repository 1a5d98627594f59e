import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket, Server as TlsServer } from 'node:tls';
import { NotationError } from '../errors.js';
import type { Target } from './target.js';
import type { Peer, TlsOptions } from './types.js';

function requireTls(tls: TlsOptions | undefined): TlsOptions {
  if (tls === undefined) throw new NotationError('tls', 'an ssl target needs key, cert and ca');
  return tls;
}

function credentials(tls: TlsOptions): { key: string | Buffer; cert: string | Buffer; ca: (string | Buffer)[] } {
  return {
    key: tls.key,
    cert: tls.cert,
    ca: typeof tls.ca === 'string' || Buffer.isBuffer(tls.ca) ? [tls.ca] : [...tls.ca],
  };
}

/** Starts to connect. The returned event says when the stream can be used. */
export function openSocket(
  target: Target,
  tls: TlsOptions | undefined,
): { socket: Socket; readyEvent: 'connect' | 'secureConnect' } {
  if (target.kind === 'unix') return { socket: connectTcp({ path: target.path }), readyEvent: 'connect' };
  const { host, port } = target;
  if (target.kind === 'tcp') return { socket: connectTcp({ host, port, noDelay: true }), readyEvent: 'connect' };
  const options = requireTls(tls);
  const socket = connectTls({
    host,
    port,
    ...credentials(options),
    ...(options.serverName === undefined
      ? // The PKI of Open vSwitch names no hosts; the chain up to our own CA is what authenticates the peer.
        { checkServerIdentity: () => undefined }
      : { servername: options.serverName }),
  });
  socket.setNoDelay(true);
  return { socket, readyEvent: 'secureConnect' };
}

/** Makes a server for an address; `onSocket` gets each stream once it can be used. */
export function openServer(target: Target, tls: TlsOptions | undefined, onSocket: (socket: Socket) => void): Server {
  if (target.kind !== 'ssl') return createServer({ noDelay: true }, onSocket);
  const server = createTlsServer({ ...credentials(requireTls(tls)), requestCert: true, rejectUnauthorized: true });
  server.on('secureConnection', (socket) => {
    socket.setNoDelay(true);
    onSocket(socket);
  });
  return server;
}

/** Gives a server for an `ssl` address the key and certificates of connections to come. */
export function renewTls(server: Server, tls: TlsOptions): void {
  if (server instanceof TlsServer) server.setSecureContext(credentials(tls));
}

/** What a connected stream tells about its other end. */
export function peerOf(socket: Socket, target: string): Peer {
  const certificate = (socket as Partial<TLSSocket>).getPeerCertificate?.();
  if (certificate?.fingerprint256 === undefined) return { target };
  const name = certificate.subject?.CN;
  return {
    target,
    certificate: { commonName: Array.isArray(name) ? name[0] : name, fingerprint256: certificate.fingerprint256 },
  };
}
