import { NotationError } from '../errors.js';

/** A parsed connection target or listening address. */
export type Target =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp' | 'ssl'; readonly host: string; readonly port: number };

const INET = /^(tcp|ssl):(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]]+)):(\d{1,5})$/;

/** Parses `unix:PATH`, `tcp:HOST:PORT` or `ssl:HOST:PORT`. Throws NotationError. */
export function parseTarget(text: string): Target {
  if (text.startsWith('unix:') && text.length > 5) return { kind: 'unix', path: text.slice(5) };
  const match = INET.exec(text);
  const port = Number(match?.[4]);
  const host = match?.[2] ?? match?.[3];
  if (match === null || host === undefined || port > 65535) {
    throw new NotationError('target', `${JSON.stringify(text)} is not unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT`);
  }
  return { kind: match[1] === 'ssl' ? 'ssl' : 'tcp', host, port };
}

/** Writes a target in the form that parseTarget reads. */
export function formatTarget(target: Target): string {
  if (target.kind === 'unix') return `unix:${target.path}`;
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  return `${target.kind}:${host}:${target.port}`;
}
