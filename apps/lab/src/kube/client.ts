import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { KubeAccess } from './kubeconfig.js';

const REQUEST_TIMEOUT_MS = 20_000;
/** The API server sends a bookmark about every minute; a watch without any sign of life for longer is dead. */
const WATCH_SECONDS = 240;
const WATCH_IDLE_MS = 300_000;

/** The API server has answered, and has refused. */
export class KubeRefusal extends Error {
  override readonly name = 'KubeRefusal';
  constructor(
    /** HTTP's status, or the code of an ERROR event of a watch. */
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** What is in the way of an answer that all the same is no news: an object that is there already, or is gone. */
export const isStatus = (e: unknown, ...statuses: readonly number[]): boolean =>
  e instanceof KubeRefusal && statuses.includes(e.status);

/** A Kubernetes object as it is on the wire; who reads it knows its kind. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: KubeMeta;
}
export interface KubeMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly ownerReferences?: readonly { readonly controller?: boolean; readonly kind: string; readonly name: string }[];
}

export interface ListAnswer<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

export type WatchEvent<T> = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T };

/** Plain JSON requests to the API server. */
export class KubeClient {
  private readonly agent: http.Agent;
  private readonly secure: boolean;

  constructor(private readonly known: KubeAccess) {
    this.secure = known.server.startsWith('https:');
    const { ca, cert, key, insecure, serverName } = known;
    this.agent = this.secure
      ? new https.Agent({
          keepAlive: true,
          ...(ca !== undefined && { ca }),
          ...(cert !== undefined && { cert }),
          ...(key !== undefined && { key }),
          ...(serverName !== undefined && { servername: serverName }),
          rejectUnauthorized: !insecure,
        })
      : new http.Agent({ keepAlive: true });
  }

  get server(): string {
    return this.known.server;
  }

  /** Ends idle connections. */
  close(): void {
    this.agent.destroy();
  }

  /** @throws KubeRefusal when the server refuses; Error when it cannot be reached */
  async request<T>(method: string, path: string, body?: unknown, type = 'application/json'): Promise<T> {
    const answer = await this.open(method, path, body, type, AbortSignal.timeout(REQUEST_TIMEOUT_MS));
    const text = await readAll(answer);
    if (answer.statusCode === undefined || answer.statusCode >= 300) throw refusal(answer.statusCode ?? 0, text);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  get<T>(path: string): Promise<T> {
    return this.request('GET', path);
  }
  create<T>(path: string, object: unknown): Promise<T> {
    return this.request('POST', path, object);
  }
  mergePatch<T>(path: string, patch: unknown): Promise<T> {
    return this.request('PATCH', path, patch, 'application/merge-patch+json');
  }
  delete(path: string, options?: unknown): Promise<unknown> {
    return this.request('DELETE', path, options);
  }
  /** The object, or undefined if there is none. */
  find<T>(path: string): Promise<T | undefined> {
    return this.get<T>(path).catch((e: unknown) => {
      if (isStatus(e, 404)) return undefined;
      throw e;
    });
  }

  async list<T>(path: string): Promise<ListAnswer<T>> {
    const items: T[] = [];
    let token = '';
    for (;;) {
      const query = new URLSearchParams({ limit: '500', ...(token !== '' && { continue: token }) });
      const page = await this.get<{ items: T[] | null; metadata: { resourceVersion: string; continue?: string } }>(
        `${path}?${query}`,
      );
      for (const item of page.items ?? []) items.push(item);
      token = page.metadata.continue ?? '';
      if (token === '') return { items, resourceVersion: page.metadata.resourceVersion };
    }
  }

  /** Follows changes until the server ends the watch, or something fails. @throws as `request` */
  async watch<T>(
    path: string,
    resourceVersion: string,
    event: (event: WatchEvent<T>) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const query = new URLSearchParams({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      timeoutSeconds: String(WATCH_SECONDS),
    });
    const answer = await this.open('GET', `${path}?${query}`, undefined, '', signal);
    if (answer.statusCode !== 200) throw refusal(answer.statusCode ?? 0, await readAll(answer));
    answer.setTimeout(WATCH_IDLE_MS, () => answer.destroy(new Error('a silent watch')));
    answer.setEncoding('utf8');
    let rest = '';
    for await (const part of answer as AsyncIterable<string>) {
      const lines = (rest + part).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') continue;
        const said = JSON.parse(line) as WatchEvent<T> | { type: 'ERROR'; object: { code?: number; message?: string } };
        if (said.type === 'ERROR') throw new KubeRefusal(said.object.code ?? 0, said.object.message ?? 'a watch error');
        event(said);
      }
    }
  }

  private open(
    method: string,
    path: string,
    body: unknown,
    type: string,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const { token } = this.known;
    const headers: http.OutgoingHttpHeaders = {
      accept: 'application/json',
      'user-agent': 'heddle-lab',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(text !== undefined && { 'content-type': type, 'content-length': Buffer.byteLength(text) }),
    };
    const send = this.secure ? https.request : http.request;
    return new Promise((resolve, reject) => {
      const outgoing = send(this.known.server + path, { method, headers, agent: this.agent, signal });
      outgoing.on('response', resolve);
      outgoing.on('error', reject);
      outgoing.end(text);
    });
  }
}

async function readAll(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of answer as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

function refusal(status: number, text: string): KubeRefusal {
  try {
    const said = JSON.parse(text) as { message?: string };
    return new KubeRefusal(status, said.message ?? `HTTP ${status}`);
  } catch {
    // Not a Status object: a proxy, or a server that is starting.
    return new KubeRefusal(status, text.slice(0, 200) || `HTTP ${status}`);
  }
}
