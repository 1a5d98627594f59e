import type { Server, Socket } from 'node:net';
import { ConnectionError } from '../errors.js';
import { ClientCore } from './client.js';
import { diagnostics } from './diagnostics.js';
import { openServer, peerOf, renewTls } from './sockets.js';
import { formatTarget, parseTarget, type Target } from './target.js';
import type { ListenOptions, OvsdbClient, OvsdbListener } from './types.js';

function boundAddress(server: Server, target: Target): string {
  const address = server.address();
  if (target.kind === 'unix' || address === null || typeof address === 'string') return formatTarget(target);
  return formatTarget({ ...target, port: address.port });
}

function remoteOf(socket: Socket, target: Target): string {
  if (target.kind === 'unix') return formatTarget(target);
  return formatTarget({ kind: target.kind, host: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 });
}

function listenOn(server: Server, target: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new ConnectionError(`cannot listen on ${formatTarget(target)}: ${error.message}`, 'not-sent', { cause: error }),
      ),
    );
    const endpoint = target.kind === 'unix' ? { path: target.path } : { host: target.host, port: target.port };
    server.listen(endpoint, () => {
      // Later errors (no more file descriptors) concern one peer, and must not end the process.
      server.on('error', (error) => diagnostics.connectFailed.publish({ target: formatTarget(target), error }));
      resolve();
    });
  });
}

/**
 * Waits for servers that dial in (`ovs-vsctl set-manager tcp:…`). Each becomes a client that ends with its connection.
 * Throws NotationError for an address that cannot be read.
 */
export function listenOvsdb(options: ListenOptions): OvsdbListener {
  const targets = options.listen.map(parseTarget);
  const clients = new Set<OvsdbClient>();
  const addresses: string[] = [];
  const accept = (socket: Socket, target: Target): void => {
    const peer = peerOf(socket, remoteOf(socket, target));
    const core = new ClientCore(peer, options);
    const client = core as unknown as OvsdbClient;
    clients.add(client);
    core.onEnd(() => clients.delete(client));
    void core.run(socket, peer).then((reason) => core.end(reason));
    options.onClient(client);
  };
  const servers = targets.map((target) => ({
    target,
    server: openServer(target, options.tls, (socket) => accept(socket, target)),
  }));
  const ready = Promise.all(servers.map(({ server, target }) => listenOn(server, target))).then(() => {
    addresses.push(...servers.map(({ server, target }) => boundAddress(server, target)));
  });
  // Whoever awaits it sees the rejection.
  ready.catch(() => undefined);
  return {
    ready,
    addresses,
    clients,
    setTls: (tls) => {
      for (const { server } of servers) renewTls(server, tls);
    },
    close: async () => {
      const closing = servers.map(({ server }) => new Promise((resolve) => server.close(resolve)));
      await Promise.all([...clients].map((client) => client.close()));
      await Promise.all(closing);
    },
  };
}
