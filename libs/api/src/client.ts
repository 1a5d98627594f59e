import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import type { z } from 'zod';
import { type Endpoint, parseEndpoint } from './endpoint.js';
import { ApiError, ErrorBody } from './errors.js';

/** PEM text. */
export interface ApiTls {
  /** Authority that the controller's certificate must be signed by; without one those that Node knows. */
  readonly ca?: string;
  /** Private key and certificate that the client shows. */
  readonly key?: string;
  readonly cert?: string;
}

export interface ApiClientOptions {
  /** `http://HOST:PORT`, `https://HOST:PORT`, `tcp:HOST:PORT`, `ssl:HOST:PORT` or `unix:/PATH`. */
  readonly url: string;
  /** For https: and ssl:. Asked at each request, so that renewed certificates count without a restart. */
  readonly tls?: () => ApiTls;
  /** Bearer token; a unix socket needs none. A function is asked at each request, so that a renewed token counts. */
  readonly token?: string | (() => string);
  /** Default 30 s; a request that takes longer rejects with code 'timeout'. */
  readonly timeoutMs?: number;
}

export interface ApiRequest {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Bodies above this many bytes are refused, so that a broken peer cannot fill our memory. */
const MAX_BODY_BYTES = 256 * 1024 * 1024;

/** JSON over HTTP to the controller. Every failure is an ApiError. */
export class ApiClient {
  constructor(private readonly options: ApiClientOptions) {}

  get<T extends z.ZodType>(path: string, schema: T, request: ApiRequest = {}): Promise<z.output<T>> {
    return this.call('GET', path, schema, request);
  }
  post<T extends z.ZodType>(path: string, schema: T, request: ApiRequest = {}): Promise<z.output<T>> {
    return this.call('POST', path, schema, request);
  }
  put<T extends z.ZodType>(path: string, schema: T, request: ApiRequest = {}): Promise<z.output<T>> {
    return this.call('PUT', path, schema, request);
  }

  delete<T extends z.ZodType>(path: string, schema: T, request: ApiRequest = {}): Promise<z.output<T>> {
    return this.call('DELETE', path, schema, request);
  }

  /** The answer's body as text, for /metrics and other non-JSON answers. */
  async text(method: string, path: string, request: ApiRequest = {}): Promise<string> {
    const { status, body } = await this.exchange(method, path, request);
    if (status >= 400) throw refusal(status, body);
    return body;
  }

  private async call<T extends z.ZodType>(
    method: string,
    path: string,
    schema: T,
    request: ApiRequest,
  ): Promise<z.output<T>> {
    const { status, body } = await this.exchange(method, path, request);
    if (status >= 400) throw refusal(status, body);
    const parsed = schema.safeParse(parseJson(body));
    if (!parsed.success)
      throw new ApiError('internal', status, `the answer to ${method} ${path} does not fit: ${parsed.error.message}`);
    return parsed.data;
  }

  /** @throws ApiError if the token cannot be read */
  private authorization(): { readonly authorization?: string } {
    const { token, url } = this.options;
    if (token === undefined) return {};
    try {
      return { authorization: `Bearer ${typeof token === 'string' ? token : token()}` };
    } catch (e) {
      throw unreachable(url, e as Error);
    }
  }

  /** @throws ApiError if the TLS files cannot be read */
  private remote(endpoint: Endpoint): RequestOptions {
    if (endpoint.kind === 'unix') return { socketPath: endpoint.path };
    const { host, port } = endpoint;
    if (endpoint.kind === 'tcp') return { host, port };
    // RFC 6066 section 3: addresses are no server names.
    const servername = isIP(host) === 0 ? host : '';
    try {
      return { host, port, servername, ...this.options.tls?.() };
    } catch (e) {
      throw unreachable(this.options.url, e as Error);
    }
  }

  private exchange(method: string, path: string, request: ApiRequest): Promise<{ status: number; body: string }> {
    const endpoint = parseEndpoint(this.options.url);
    const query = Object.entries(request.query ?? {}).flatMap(([k, v]): [string, string][] =>
      v === undefined ? [] : [[k, String(v)]],
    );
    const search = new URLSearchParams(query).toString();
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const timeoutMs = request.timeoutMs ?? this.options.timeoutMs ?? 30_000;
    return new Promise((resolve, reject) => {
      const fail = (e: Error) => reject(unreachable(this.options.url, e));
      const send = endpoint.kind === 'ssl' ? httpsRequest : httpRequest;
      const req: ClientRequest = send(
        {
          ...this.remote(endpoint),
          method,
          path: search === '' ? path : `${path}?${search}`,
          headers: {
            accept: 'application/json',
            ...(body === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
            ...this.authorization(),
          },
          ...(request.signal === undefined ? {} : { signal: request.signal }),
        },
        (response) =>
          readBody(response).then((text) => resolve({ status: response.statusCode ?? 0, body: text }), fail),
      );
      req.setTimeout(timeoutMs, () =>
        req.destroy(
          new ApiError('timeout', 0, `${this.options.url} did not answer ${method} ${path} in ${timeoutMs} ms`),
        ),
      );
      req.on('error', fail);
      req.end(body);
    });
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response) {
    size += (part as Buffer).length;
    if (size > MAX_BODY_BYTES) throw new Error(`the answer is larger than ${MAX_BODY_BYTES} bytes`);
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiError('internal', 0, `the answer is not JSON: ${text.slice(0, 200)}`, [], { cause });
  }
}

function refusal(status: number, body: string): ApiError {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    // A proxy or a crash page in between: say what it said.
    return new ApiError('internal', status, `HTTP ${status}: ${body.slice(0, 200)}`);
  }
  const known = ErrorBody.safeParse(parsed);
  return known.success
    ? new ApiError(known.data.code, status, known.data.message, known.data.details)
    : new ApiError('internal', status, `HTTP ${status}: ${body.slice(0, 200)}`);
}

/** OpenSSL's THREAD:error:CODE:LIBRARY:FUNCTION:REASON:FILE:LINE:, of which the reason says it all. */
const OPENSSL_ERROR = /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/;

function unreachable(url: string, cause: Error): ApiError {
  if (cause instanceof ApiError) return cause;
  const reason = OPENSSL_ERROR.exec(cause.message)?.[1] ?? cause.message;
  return new ApiError('unavailable', 0, `cannot reach the controller at ${url}: ${reason}`, [], { cause });
}
