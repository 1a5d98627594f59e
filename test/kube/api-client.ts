import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { parse } from 'yaml';
import type { ApiHandle, Json } from '../support/kube-api/index.js';

export interface Reply {
  readonly code: number;
  readonly body: Json;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: Json;
}

/** How long a test waits for an event before it fails. */
const WAIT_MS = 20_000;

/** Asks until the answer is the wanted one. @throws Error after a time */
export async function untilTrue(what: string, ask: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** An open watch and what has come so far. */
export class OpenWatch {
  readonly events: WatchEvent[] = [];
  ended = false;
  private wake: () => void = () => {};
  private readonly message: IncomingMessage;

  constructor(message: IncomingMessage) {
    this.message = message;
    let rest = '';
    message.setEncoding('utf8');
    message.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) if (line !== '') this.events.push(JSON.parse(line));
      this.wake();
    });
    const end = () => {
      this.ended = true;
      this.wake();
    };
    message.once('end', end);
    message.once('close', end);
    message.on('error', end);
  }

  /** Waits until what has come is enough. @throws Error with what has come */
  async until(enough: (events: readonly WatchEvent[]) => boolean): Promise<readonly WatchEvent[]> {
    const deadline = Date.now() + WAIT_MS;
    while (!enough(this.events)) {
      if (this.ended || Date.now() >= deadline)
        throw new Error(`${this.ended ? 'the watch ended' : 'nothing more came'}: ${JSON.stringify(this.summary())}`);
      await this.change(deadline);
    }
    return this.events;
  }

  /** Waits until the server has ended it. */
  async untilEnd(): Promise<void> {
    const deadline = Date.now() + WAIT_MS;
    while (!this.ended) {
      if (Date.now() >= deadline) throw new Error('the watch goes on');
      await this.change(deadline);
    }
  }

  private change(deadline: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, deadline - Date.now()));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** `ADDED a`, `DELETED b`: type and name of each event, without bookmarks. */
  summary(): string[] {
    return this.events
      .filter((e) => e.type !== 'BOOKMARK')
      .map((e) => `${e.type} ${e.object.metadata?.name ?? e.object.reason}`);
  }

  close(): void {
    this.message.destroy();
  }
}

export interface RawRequest {
  readonly body?: Json;
  readonly contentType?: string;
  /** Another user's token, or none at all. */
  readonly token?: string | undefined;
}

/** Plain requests to an API server: what is under test here is the protocol, so no client library is in between. */
export class RawClient {
  private readonly api: ApiHandle;
  private readonly agent = new Agent({ keepAlive: true });
  private readonly authority: string | undefined;

  constructor(api: ApiHandle) {
    this.api = api;
    const data = parse(api.kubeconfig()).clusters[0].cluster['certificate-authority-data'];
    this.authority = data === undefined ? undefined : Buffer.from(data, 'base64').toString();
  }

  private open(method: string, path: string, raw: RawRequest): Promise<IncomingMessage> {
    const token = 'token' in raw ? raw.token : this.api.token();
    const body =
      raw.body === undefined ? undefined : typeof raw.body === 'string' ? raw.body : JSON.stringify(raw.body);
    const options: RequestOptions = {
      method,
      agent: this.agent,
      ca: this.authority,
      headers: {
        accept: 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined
          ? {}
          : { 'content-type': raw.contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    };
    return new Promise((resolve, reject) => {
      const sent = request(`${this.api.url}${path}`, options, resolve);
      sent.once('error', reject);
      sent.end(body);
    });
  }

  async send(method: string, path: string, raw: RawRequest = {}): Promise<Reply> {
    const message = await this.open(method, path, raw);
    message.setEncoding('utf8');
    let text = '';
    for await (const part of message) text += part;
    const json = (message.headers['content-type'] ?? '').startsWith('application/json');
    return { code: message.statusCode ?? 0, body: json ? JSON.parse(text) : text };
  }

  get(path: string): Promise<Reply> {
    return this.send('GET', path);
  }
  post(path: string, body: Json): Promise<Reply> {
    return this.send('POST', path, { body });
  }
  put(path: string, body: Json): Promise<Reply> {
    return this.send('PUT', path, { body });
  }
  delete(path: string, body?: Json): Promise<Reply> {
    return this.send('DELETE', path, body === undefined ? {} : { body });
  }
  patch(kind: 'merge' | 'strategic' | 'json' | 'apply', path: string, body: Json): Promise<Reply> {
    const contentType = {
      merge: 'application/merge-patch+json',
      strategic: 'application/strategic-merge-patch+json',
      json: 'application/json-patch+json',
      apply: 'application/apply-patch+yaml',
    }[kind];
    return this.send('PATCH', path, { body, contentType });
  }

  /** Sends a request that must succeed and gives its body. */
  async must(reply: Promise<Reply>): Promise<Json> {
    const { code, body } = await reply;
    if (code < 200 || code > 299) throw new Error(`${code} ${JSON.stringify(body)}`);
    return body;
  }

  /** Opens a watch; the path has its query. */
  async watch(path: string): Promise<OpenWatch> {
    const message = await this.open('GET', path, {});
    const watch = new OpenWatch(message);
    if (message.statusCode !== 200) {
      await watch.untilEnd();
      throw new Error(`watch ${path}: ${message.statusCode}`);
    }
    return watch;
  }

  close(): void {
    this.agent.destroy();
  }
}
