import { chmodSync, existsSync, unlinkSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { type Endpoint, formatEndpoint, type TlsFollower, type TlsSet } from '@heddle/api';
import { removeStaleSocket } from '../../unix-socket.js';
import { markLocal } from './access.guard.js';

/** Headers and bodies of a request must arrive in this time; answers may take longer (long polls). */
const REQUEST_TIMEOUT_MS = 30_000;
const MIN_VERSION = 'TLSv1.2';

/** The HTTP servers of the API: one application behind several unix, TCP and TLS listeners. */
export class Listeners {
  private readonly servers: Server[] = [];
  private readonly tlsServers: TlsServer[] = [];
  private readonly unixPaths: string[] = [];

  constructor(
    private readonly handler: RequestListener,
    private readonly tls: TlsFollower | undefined,
  ) {
    tls?.onRenewed((set) => {
      for (const server of this.tlsServers) server.setSecureContext({ ...pems(set), minVersion: MIN_VERSION });
    });
  }

  /** @throws Error that names the endpoint */
  async listen(endpoints: readonly Endpoint[]): Promise<void> {
    for (const endpoint of endpoints) {
      try {
        await this.listenOn(endpoint);
      } catch (cause) {
        throw new Error(`cannot listen on ${formatEndpoint(endpoint)}: ${(cause as Error).message}`, { cause });
      }
    }
  }

  /** Port of each TCP and TLS listener, in their order. */
  ports(): number[] {
    return this.servers.flatMap((s) => {
      const address = s.address();
      return typeof address === 'object' && address !== null ? [address.port] : [];
    });
  }

  async close(): Promise<void> {
    const closed = this.servers.map((s) => new Promise<void>((resolve) => s.close(() => resolve())));
    // Long polls would keep their connections open for as long as they wait.
    for (const server of this.servers) server.closeAllConnections();
    await Promise.all(closed);
    for (const path of this.unixPaths) if (existsSync(path)) unlinkSync(path);
  }

  private async listenOn(endpoint: Endpoint): Promise<void> {
    const server = this.server(endpoint);
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    if (endpoint.kind === 'unix') {
      await removeStaleSocket(endpoint.path);
      // The socket must not be open to others for a moment: the mode comes from the umask at bind.
      const before = process.umask(0o177);
      try {
        await started(server, () => server.listen(endpoint.path));
      } finally {
        process.umask(before);
      }
      chmodSync(endpoint.path, 0o600);
      this.unixPaths.push(endpoint.path);
    } else await started(server, () => server.listen(endpoint.port, endpoint.host));
    this.servers.push(server);
  }

  private server(endpoint: Endpoint): Server {
    if (endpoint.kind === 'ssl') {
      if (this.tls === undefined) throw new Error('there is no TLS key');
      // As for switches: who has no certificate of the authority does not get as far as the token.
      const peers = { requestCert: true, rejectUnauthorized: true, minVersion: MIN_VERSION } as const;
      const server = createTlsServer({ ...pems(this.tls.current), ...peers }, this.handler);
      this.tlsServers.push(server);
      return server;
    }
    if (endpoint.kind === 'tcp') return createServer(this.handler);
    return createServer((request, response) => {
      markLocal(request);
      this.handler(request, response);
    });
  }
}

const pems = ({ key, cert, ca }: TlsSet) => ({ key, cert, ca });

function started(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    listen();
  });
}
