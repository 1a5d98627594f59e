import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Clock } from '../clock.js';
import { type Credentials, fromKubeconfig, inCluster } from './credentials.js';
import { Lines } from './lines.js';

/** How long a request may go without an answer, or the answer without a byte. */
const REQUEST_TIMEOUT_MS = 30_000;
/** A dead peer is found by TCP when it has not answered for about this long. */
const TCP_KEEPALIVE_MS = 15_000;
/** A page of 500 objects at the limit of etcd. */
const MAX_BODY_BYTES = 1024 * 1024 * 1024;
/** etcd takes 1.5 MB, kube-apiserver at most 3 MB; an event wraps one object. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;

/** The API server has answered, and has refused. */
export class KubeRefusal extends Error {
  override readonly name = 'KubeRefusal';
  constructor(
    /** HTTP's status, or the code of a Status object in a watch. */
    readonly status: number,
    /** `reason` of the Status object; empty if there is none. */
    readonly reason: string,
    message: string,
    /** What the server asks to wait; undefined if it does not say. */
    readonly retryAfterMs: number | undefined = undefined,
  ) {
    super(message);
  }
}

export interface KubeRequest {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface WatchHandlers {
  /** The server has taken the watch. */
  readonly opened: () => void;
  /** One event of the stream, parsed. What it throws ends the watch. */
  readonly event: (event: unknown) => void;
  readonly signal: AbortSignal;
  /** The watch ends when nothing has come for so long: the other side may be gone without a word. */
  readonly idleMs: number;
}

/**
 * Requests to the API server as plain JSON. The calls of `@kubernetes/client-node` are not used: its Watch swallows an event
 * that it cannot parse, and its lists build a tree of class instances of which the next moment nothing is kept.
 */
export class KubeClient {
  constructor(
    private readonly credentials: Credentials,
    private readonly clock: Clock,
  ) {}

  get server(): string {
    return this.credentials.server;
  }

  /** @throws KubeRefusal when the server refuses; Error when it cannot be reached or does not answer in time */
  async request(method: string, path: string, request: KubeRequest = {}): Promise<unknown> {
    const answer = await this.open(method, path, request);
    const text = await textOf(answer);
    const status = answer.statusCode ?? 0;
    if (status < 200 || status > 299) throw refusal(status, text, answer);
    return text === '' ? undefined : JSON.parse(text);
  }

  /** Resolves when the server has ended the watch in order, or was silent. @throws as `request`, and what `event` throws */
  async watch(path: string, query: KubeRequest['query'], handlers: WatchHandlers): Promise<'ended' | 'silent'> {
    const { opened, event, signal, idleMs } = handlers;
    const answer = await this.open('GET', path, { query: { ...query, watch: true }, signal });
    if (answer.statusCode !== 200) throw refusal(answer.statusCode ?? 0, await textOf(answer), answer);
    // From here on silence is normal.
    answer.socket.setTimeout(0);
    opened();
    let heardAt = this.clock.now();
    let silent = false;
    let stopIdle = () => {};
    const watchIdle = (ms: number) => {
      stopIdle = this.clock.after(ms, () => {
        const left = heardAt + idleMs - this.clock.now();
        if (left > 0) watchIdle(left);
        else {
          silent = true;
          answer.destroy();
        }
      });
    };
    watchIdle(idleMs);
    try {
      await new Promise<void>((resolve, reject) => {
        const lines = new Lines(MAX_EVENT_BYTES, (text) => event(JSON.parse(text)));
        answer.on('data', (chunk: Buffer) => {
          heardAt = this.clock.now();
          try {
            lines.push(chunk);
          } catch (e) {
            reject(e);
          }
        });
        answer.on('error', reject);
        answer.on('close', () => (answer.complete || silent ? resolve() : reject(new Error('the watch was cut off'))));
      });
    } finally {
      stopIdle();
      answer.destroy();
    }
    return silent ? 'silent' : 'ended';
  }

  private async open(method: string, path: string, request: KubeRequest): Promise<IncomingMessage> {
    const url = new URL(this.server + path);
    for (const [name, value] of Object.entries(request.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const options: https.RequestOptions = {};
    await this.credentials.apply(options);
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers: http.OutgoingHttpHeaders = {
      ...(options.headers as http.OutgoingHttpHeaders | undefined),
      accept: 'application/json',
      'user-agent': 'heddle-controller',
    };
    if (body !== undefined) {
      headers['content-type'] = request.contentType ?? 'application/json';
      headers['content-length'] = Buffer.byteLength(body);
    }
    const { request: send } = url.protocol === 'http:' ? http : https;
    return new Promise((resolve, reject) => {
      const outgoing = send(url, { ...options, method, headers, signal: request.signal, timeout: REQUEST_TIMEOUT_MS });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer for ${REQUEST_TIMEOUT_MS} ms`)));
      outgoing.on('socket', (socket) => socket.setKeepAlive(true, TCP_KEEPALIVE_MS));
      outgoing.on('response', resolve);
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new RangeError(`an answer of more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (!answer.complete) throw new Error('the connection ended in the middle of an answer');
  return Buffer.concat(chunks).toString();
}

function refusal(status: number, text: string, { headers }: IncomingMessage): KubeRefusal {
  const seconds = Number(headers['retry-after']);
  const retryAfterMs = seconds > 0 ? seconds * 1_000 : undefined;
  let said: { reason?: unknown; message?: unknown } = {};
  try {
    said = (JSON.parse(text) ?? {}) as typeof said;
  } catch {
    // A proxy, or a server that is starting: what it says is its text.
    said = { message: text.slice(0, 200) };
  }
  const reason = typeof said.reason === 'string' ? said.reason : '';
  const message = typeof said.message === 'string' && said.message !== '' ? said.message : `HTTP ${status}`;
  return new KubeRefusal(status, reason, message, retryAfterMs);
}

/** The client for a kubeconfig file, or for the cluster that this process runs in. @throws Error as `Credentials` of either */
export async function createKubeClient(kubeconfig: string | undefined, clock: Clock): Promise<KubeClient> {
  return new KubeClient(kubeconfig === undefined ? await inCluster(clock) : await fromKubeconfig(kubeconfig), clock);
}
