/** Where a session is accepted or dialled. */
export type Endpoint =
  | { readonly kind: 'tcp' | 'ssl'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/**
 * Parses `unix:PATH`, `tcp:HOST:PORT` and `ssl:HOST:PORT`; IPv6 addresses stand in brackets.
 * @throws RangeError that names the text
 */
export function parseOpenFlowEndpoint(text: string): Endpoint {
  const unix = /^unix:(.+)$/.exec(text);
  if (unix?.[1] !== undefined) return { kind: 'unix', path: unix[1] };
  const inet = /^(tcp|ssl):(\[[0-9a-fA-F:.]+\]|[^:/[\]]+):(\d{1,5})$/.exec(text);
  const port = Number(inet?.[3]);
  if (inet?.[2] === undefined || port > 65535)
    throw new RangeError(`"${text}" is not unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT`);
  return { kind: inet[1] === 'ssl' ? 'ssl' : 'tcp', host: inet[2].replace(/^\[|\]$/g, ''), port };
}

/** The text that `parseOpenFlowEndpoint` reads back. */
export function formatOpenFlowEndpoint(e: Endpoint): string {
  if (e.kind === 'unix') return `unix:${e.path}`;
  return `${e.kind}:${e.host.includes(':') ? `[${e.host}]` : e.host}:${e.port}`;
}
