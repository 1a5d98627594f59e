/** Where something listens or is reached; `ssl` is TLS. `tcp` hosts may be names or addresses; IPv6 addresses stand in brackets. */
export type Endpoint =
  | { readonly kind: 'tcp' | 'ssl'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/**
 * Parses `unix:PATH`, `tcp:HOST:PORT`, `ssl:HOST:PORT`, `http://HOST:PORT` (as tcp),
 * `https://HOST:PORT` (as ssl) and a bare `HOST:PORT` (as tcp).
 * @throws RangeError that names the text
 */
export function parseEndpoint(text: string): Endpoint {
  const unix = /^unix:(\/.+)$/.exec(text);
  if (unix?.[1] !== undefined) return { kind: 'unix', path: unix[1] };
  const inet = /^(?:(tcp|ssl):|(https?):\/\/)?(\[[0-9a-fA-F:.]+\]|[^:/[\]]+):(\d{1,5})\/?$/.exec(text);
  const port = Number(inet?.[4]);
  if (inet?.[3] === undefined || port > 65535)
    throw new RangeError(
      `"${text}" is not unix:/PATH, tcp:HOST:PORT, ssl:HOST:PORT, http://HOST:PORT or https://HOST:PORT`,
    );
  const tls = inet[1] === 'ssl' || inet[2] === 'https';
  return { kind: tls ? 'ssl' : 'tcp', host: inet[3].replace(/^\[|\]$/g, ''), port };
}

/** Parses a comma-separated list of endpoints; an empty text is an empty list. */
export function parseEndpoints(text: string): Endpoint[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseEndpoint);
}

/** The text that `parseEndpoint` reads back. */
export function formatEndpoint(e: Endpoint): string {
  if (e.kind === 'unix') return `unix:${e.path}`;
  return `${e.kind}:${e.host.includes(':') ? `[${e.host}]` : e.host}:${e.port}`;
}
