import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../clock.js';
import { ConnectionError } from '../errors.js';
import { ClientCore, type Gate } from './client.js';
import { diagnostics } from './diagnostics.js';
import { leaderGate } from './leadership.js';
import { openSocket, peerOf } from './sockets.js';
import { formatTarget, parseTarget, type Target } from './target.js';
import type { ConnectOptions, OvsdbClient } from './types.js';
import { pause } from './wait.js';

const DEFAULT_CONNECT_MS = 10_000;
const DEFAULT_RECONNECT = { minMs: 100, maxMs: 8_000 };

function dial(
  target: Target,
  options: ConnectOptions,
  clock: Clock,
  onStop: (stop: () => void) => void,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const timeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_MS;
    const { socket, readyEvent } = openSocket(target, options.tls);
    const fail = (error: Error): void => {
      stopTimer();
      socket.destroy();
      const text = `cannot connect to ${formatTarget(target)}: ${error.message}`;
      reject(new ConnectionError(text, 'not-sent', { cause: error }));
    };
    const stopTimer = clock.schedule(timeoutMs, () => fail(new Error(`no connection within ${timeoutMs} ms`)));
    onStop(() => fail(new Error('client was closed')));
    socket.once('error', fail);
    socket.once(readyEvent, () => {
      stopTimer();
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

async function dialLoop(
  client: ClientCore,
  targets: readonly Target[],
  options: ConnectOptions,
  clock: Clock,
): Promise<void> {
  const reconnect = options.reconnect ?? DEFAULT_RECONNECT;
  const random = options.random ?? Math.random;
  const gate: Gate | undefined = options.leaderOnly === undefined ? undefined : leaderGate(options.leaderOnly);
  let stop: () => void = () => {};
  client.onEnd(() => stop());
  const onStop = (next: () => void): void => {
    stop = next;
  };
  let failures = 0;
  for (let turn = 0; client.endReason === undefined; turn++) {
    const target = targets[turn % targets.length] as Target;
    const name = formatTarget(target);
    let lastError: Error | undefined;
    try {
      const socket = await dial(target, options, clock, onStop);
      // From here on the client itself ends the socket, after its last bytes.
      stop = () => {};
      if (client.endReason !== undefined) {
        socket.destroy();
        return;
      }
      const since = clock.now();
      const reason = await client.run(socket, peerOf(socket, name), gate);
      lastError = reason.error;
      // A server that accepts and drops at once must not be hammered: only a connection that lasted resets the pause.
      if (reconnect !== false && clock.now() - since > reconnect.maxMs) failures = 0;
      if (reconnect === false) client.end(reason);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      lastError = error;
      diagnostics.connectFailed.publish({ target: name, error });
    }
    if (reconnect === false) {
      client.end({ kind: 'lost', ...(lastError === undefined ? {} : { error: lastError }) });
      return;
    }
    if (client.endReason !== undefined) return;
    failures++;
    // Other servers of a cluster are tried at once; the pause comes after each round.
    if (failures % targets.length !== 0) continue;
    const rounds = failures / targets.length;
    const longest = Math.min(reconnect.maxMs, reconnect.minMs * 2 ** Math.min(rounds - 1, 30));
    await pause(clock, longest * (1 - random() / 2), onStop);
  }
}

/**
 * Connects to an OVSDB server, and again whenever the connection is lost. Returns at once; `ready` resolves with the first
 * connection. Throws NotationError for a target that cannot be read.
 */
export function connectOvsdb(options: ConnectOptions): OvsdbClient {
  const targets = (typeof options.target === 'string' ? [options.target] : options.target).map(parseTarget);
  const first = targets[0];
  if (first === undefined) throw new ConnectionError('no target to connect to');
  const clock = options.clock ?? systemClock;
  const client = new ClientCore({ target: formatTarget(first) }, options);
  const { signal } = options;
  if (signal !== undefined) {
    const onAbort = (): void => client.end({ kind: 'closed', error: signal.reason });
    signal.addEventListener('abort', onAbort, { once: true });
    client.onEnd(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
  }
  void dialLoop(client, targets, options, clock).catch((error) => client.end({ kind: 'lost', error: error as Error }));
  return client as unknown as OvsdbClient;
}
