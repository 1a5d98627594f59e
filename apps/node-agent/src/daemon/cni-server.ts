import { chmodSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { CNI_VARIABLES } from '../cni/request.js';
import { MAX_LINE_BYTES, MAX_STDIN_BYTES, type WireAnswer, type WireRequest } from '../cni/wire.js';

/** More callers than this at once wait in the socket's queue. */
const MAX_CONNECTIONS = 512;
/** A caller that has connected sends its request at once. */
const REQUEST_TIMEOUT_MS = 10_000;

const Request = z.object({
  env: z.object(
    Object.fromEntries(
      CNI_VARIABLES.map((name) => [
        name,
        z
          .string()
          .max(64 * 1024)
          .optional(),
      ]),
    ),
  ),
  stdin: z.string().max(MAX_STDIN_BYTES),
  startMs: z.number(),
});

export interface CniServerOptions {
  readonly path: string;
  /** `gone` is aborted when the caller ends its side before the answer. */
  readonly handle: (request: WireRequest, gone: AbortSignal) => Promise<WireAnswer>;
  readonly logger: Logger;
}

/** The unix socket (mode 0600) on which the CNI executable calls. */
export class CniServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(private readonly options: CniServerOptions) {
    // A caller ends its side only after our answer; what it asked for is not left half-done when it hangs up before.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Listens. @throws Error if another agent answers on the socket, or the path cannot be used */
  static async listen(options: CniServerOptions): Promise<CniServer> {
    const { path } = options;
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    if (await answers(path)) throw new Error(`another agent is listening on ${path}`);
    unlinkIfPresent(path);
    const server = new CniServer(options);
    // The socket must not be open to others even for the moment before chmod.
    const umask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.#server.once('error', reject);
        server.#server.listen(path, resolve);
      });
    } finally {
      process.umask(umask);
    }
    chmodSync(path, 0o600);
    return server;
  }

  /** Takes no more callers; those being served are served to the end. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    const { logger, handle } = this.options;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', (err) => logger.debug({ err }, 'cni_caller_lost'));
    const drop = (reason: string) => {
      logger.warn({ reason }, 'cni_caller_dropped');
      socket.destroy();
    };
    socket.setTimeout(REQUEST_TIMEOUT_MS, () => drop(`no request within ${REQUEST_TIMEOUT_MS} ms`));
    const parts: Buffer[] = [];
    let size = 0;
    const onData = (part: Buffer) => {
      const end = part.indexOf(0x0a);
      size += part.length;
      if (size > MAX_LINE_BYTES) return drop(`a request of more than ${MAX_LINE_BYTES} bytes`);
      parts.push(end < 0 ? part : part.subarray(0, end));
      if (end < 0) return;
      socket.off('data', onData);
      socket.setTimeout(0);
      const request = decode(Buffer.concat(parts));
      if (request === undefined) return drop('a request that is not ours');
      const gone = new AbortController();
      for (const event of ['end', 'close']) socket.once(event, () => gone.abort());
      void handle(request, gone.signal).then((answer) => socket.end(`${JSON.stringify(answer)}\n`));
    };
    socket.on('data', onData);
    // Ended without a whole line.
    socket.on('end', () => {
      if (parts.length === 0 || socket.listenerCount('data') > 0) socket.destroy();
    });
  }
}

function decode(line: Buffer): WireRequest | undefined {
  try {
    const parsed = Request.safeParse(JSON.parse(line.toString('utf8')));
    return parsed.success ? (parsed.data as WireRequest) : undefined;
  } catch {
    // Not JSON: the caller is dropped like one whose JSON is something else.
    return undefined;
  }
}

/** Whether somebody accepts connections there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function unlinkIfPresent(path: string): void {
  try {
    unlinkSync(path);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e;
  }
}
