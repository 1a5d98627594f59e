import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that the kernel gives to sockets that connect (net.ipv4.ip_local_port_range), so that none of them takes it meanwhile. */
const [FIRST, COUNT] = [20_000, 10_000];
const ATTEMPTS = 100;
const given = new Set<number>();

/** A TCP port of 127.0.0.1 that nobody listens on now, another one each time: for programs that must be told one, or that take it again later. */
export async function freePort(): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port)) continue;
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (e) {
      if (attempt < ATTEMPTS && (e as NodeJS.ErrnoException).code === 'EADDRINUSE') continue;
      throw e;
    }
    server.close();
    await once(server, 'close');
    given.add(port);
    return port;
  }
}
