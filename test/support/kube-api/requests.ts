import type { IncomingMessage } from 'node:http';
import { parse as parseYaml } from 'yaml';
import type { PatchKind } from './cluster.ts';
import { badRequest, StatusError, unsupportedMediaType } from './errors.ts';
import type { Json } from './types.ts';

/** As the real server bounds it. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** What a path of the API names. */
export interface Target {
  readonly group: string;
  readonly version: string;
  readonly namespace: string | undefined;
  readonly plural: string;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** `/api/v1/namespaces/N/pods/P/status`, `/apis/G/V/...`; undefined for other paths. */
export function parseTarget(path: string): Target | undefined {
  const parts = path
    .split('/')
    .filter((p) => p !== '')
    .map(decodeURIComponent);
  const root = parts.shift();
  if (root !== 'api' && root !== 'apis') return undefined;
  const group = root === 'api' ? '' : parts.shift();
  const version = parts.shift();
  if (group === undefined || version === undefined || parts.length === 0) return undefined;
  // A namespace is an object too; /namespaces/N/status and /namespaces/N/finalize are its subresources.
  const scoped =
    parts[0] === 'namespaces' &&
    parts.length > 2 &&
    !(parts.length === 3 && ['status', 'finalize'].includes(parts[2] as string));
  const namespace = scoped ? parts[1] : undefined;
  const [plural, name, subresource, ...rest] = scoped ? parts.slice(2) : parts;
  if (plural === undefined || rest.length > 0) return undefined;
  return { group, version, namespace, plural, name, subresource };
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MAX_BODY_BYTES)
      throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const mediaType = (request: IncomingMessage) => (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';

function parseJson(body: Buffer): Json {
  try {
    return JSON.parse(body.toString());
  } catch (e) {
    throw badRequest(`couldn't get version/kind; json parse error: ${(e as Error).message}`);
  }
}

function parseAnyYaml(body: Buffer): Json {
  try {
    return parseYaml(body.toString());
  } catch (e) {
    throw badRequest(`error converting YAML to JSON: ${(e as Error).message}`);
  }
}

/** The object of a POST, PUT or DELETE; undefined if the body is empty. */
export async function readObject(request: IncomingMessage): Promise<Json> {
  const body = await readBody(request);
  if (body.length === 0) return undefined;
  const type = mediaType(request);
  if (type === 'application/yaml') return parseAnyYaml(body);
  if (type !== '' && type !== 'application/json') throw unsupportedMediaType(['application/json', 'application/yaml']);
  return parseJson(body);
}

const PATCHES: Readonly<Record<string, PatchKind>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

export async function readPatch(request: IncomingMessage): Promise<{ readonly kind: PatchKind; readonly patch: Json }> {
  const kind = PATCHES[mediaType(request)];
  if (kind === undefined) throw unsupportedMediaType(Object.keys(PATCHES));
  const body = await readBody(request);
  return { kind, patch: kind === 'apply' ? parseAnyYaml(body) : parseJson(body) };
}

/** A query parameter that is a number. @throws StatusError 400 */
export function numberParameter(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^-?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

export function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  return text === '' || text === 'true' || text === '1';
}
