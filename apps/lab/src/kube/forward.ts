import { rmSync } from 'node:fs';
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';

/**
 * Carries TCP connections from one network namespace to another: one of these listens on TCP in the controller's namespace and connects to a unix socket, which
 * has no namespace; the other listens there and connects to the API server. What happens to one side happens to the other: an API server that is killed looks
 * like one.
 *
 * Arguments: where to listen, where to connect; `unix:/path` or `tcp:ADDRESS:PORT`.
 */
const [listen = '', target = ''] = process.argv.slice(2);

function endpoint(text: string): NetConnectOpts {
  if (text.startsWith('unix:')) return { path: text.slice('unix:'.length) };
  const found = /^tcp:(.+):(\d+)$/.exec(text);
  if (found?.[1] === undefined) throw new RangeError(`"${text}" is neither unix:/path nor tcp:ADDRESS:PORT`);
  return { host: found[1].replace(/^\[|\]$/g, ''), port: Number(found[2]) };
}

function join(from: Socket, to: Socket): void {
  from.on('data', (part) => {
    if (!to.write(part)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}

const here = endpoint(listen);
const there = endpoint(target);
if ('path' in here) rmSync(here.path, { force: true });
const server = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ ...there, allowHalfOpen: true });
  join(near, far);
  join(far, near);
});
server.on('error', (e) => {
  console.error(e);
  process.exit(1);
});
server.listen({ ...here });
process.on('SIGTERM', () => process.exit(0));
