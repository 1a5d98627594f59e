import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listenTcp, listenUdp } from './echo.js';
import { runProbes } from './probe-client.js';
import { endpointText } from './protocol.js';

describe('the echo program and the probes, on this machine', () => {
  let server: Server;
  let silent: Server;
  let port = 0;
  let silentPort = 0;
  const portOf = (s: Server) => {
    const address = s.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };
  beforeAll(async () => {
    server = await listenTcp('ns/echo', 0);
    port = portOf(server);
    await listenUdp('ns/echo', port);
    silent = createServer(() => undefined);
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    silentPort = portOf(silent);
  });
  afterAll(() => {
    server.close();
    silent.close();
  });

  it.each([
    ['tcp', '127.0.0.1', '127.0.0.1'],
    ['tcp', '::1', '[::1]'],
    ['udp', '127.0.0.1', '127.0.0.1'],
    ['udp', '::1', '[::1]'],
  ] as const)('%s to %s: says who answered and whom it saw', async (protocol, address, seen) => {
    const [result] = await runProbes([{ protocol, address, port, timeoutMs: 20_000 }]);
    expect(result).toMatchObject({ outcome: 'ok', pod: 'ns/echo' });
    expect(result?.peer?.startsWith(`${seen}:`)).toBe(true);
  });

  it('uses the source port asked for', async () => {
    const [result] = await runProbes([
      { protocol: 'udp', address: '127.0.0.1', port, timeoutMs: 20_000, sourcePort: 8_671 },
    ]);
    expect(result?.peer).toBe('127.0.0.1:8671');
  });

  it('uses a source port once, and none that somebody listens on', async () => {
    const probe = { address: '127.0.0.1', port, timeoutMs: 20_000 };
    const results = await runProbes(Array.from({ length: 50 }, () => ({ ...probe, protocol: 'udp' })));
    const ports = results.map((r) => Number(r.peer?.split(':')[1]));
    expect(new Set(ports).size).toBe(50);
    expect(ports.filter((p) => !(p >= 10_000 && p < 32_000))).toEqual([]);
    const following = 10_000 + (((ports.at(-1) ?? 0) + 1 - 10_000) % 22_000);
    const taken = await listenTcp('ns/taken', following);
    const [next] = await runProbes([{ ...probe, protocol: 'tcp' }]);
    taken.close();
    expect(next?.outcome).toBe('ok');
    expect(next?.peer).not.toBe(`127.0.0.1:${following}`);
  });

  it('refused, timeout and unsupported are told apart', async () => {
    const results = await runProbes([
      { protocol: 'tcp', address: '127.0.0.1', port: 1, timeoutMs: 20_000 },
      { protocol: 'udp', address: '127.0.0.1', port: 1, timeoutMs: 20_000 },
      { protocol: 'sctp', address: '127.0.0.1', port, timeoutMs: 20_000 },
      // Multicast of documentation: nobody answers, no route refuses.
      { protocol: 'udp', address: '127.0.0.1', port: silentPort, timeoutMs: 20_000 },
    ]);
    expect(results.map((r) => r.outcome)).toEqual(['refused', 'refused', 'unsupported', 'refused']);
  });

  it('a server that accepts and says nothing was reached all the same', async () => {
    const [result] = await runProbes([{ protocol: 'tcp', address: '127.0.0.1', port: silentPort, timeoutMs: 1_000 }]);
    expect(result).toMatchObject({ outcome: 'ok', pod: null });
  });

  it('transfers: counts and checks the bytes', async () => {
    const bytes = 5_000_001;
    const [good] = await runProbes([{ protocol: 'tcp', address: '::1', port, timeoutMs: 20_000, bytes }]);
    expect(good).toMatchObject({ outcome: 'ok', bytes });
  });

  it('transfers: damaged and missing bytes are errors', async () => {
    const liar = createServer((s) => {
      s.on('error', () => undefined);
      s.once('data', () => s.end(`HTTP/1.0 200 OK\r\n\r\n${'\0'.repeat(100)}`));
    });
    liar.listen(0, '127.0.0.1');
    await once(liar, 'listening');
    const probe = { protocol: 'tcp', address: '127.0.0.1', port: portOf(liar), timeoutMs: 20_000 } as const;
    const [damaged, short] = await runProbes([
      { ...probe, bytes: 100 },
      { ...probe, bytes: 1 },
    ]);
    expect(damaged).toMatchObject({ outcome: 'error', detail: expect.stringContaining('wrong bytes') });
    expect(short?.outcome).not.toBe('ok');
    liar.close();
  });

  it('what is not HTTP gets one line that says who answers, then its own bytes', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.setEncoding('utf8').write('hello\n');
    let text = '';
    for await (const part of socket) {
      text += part;
      if (text.split('\n').length > 2) break;
    }
    const [line, echo] = text.split('\n');
    expect(JSON.parse(line ?? '')).toMatchObject({ pod: 'ns/echo' });
    expect(echo).toBe('hello');
  });

  it('writes addresses plainly', () => {
    expect(endpointText('::ffff:10.0.0.1', 80)).toBe('10.0.0.1:80');
    expect(endpointText('fd00::1', 80)).toBe('[fd00::1]:80');
  });
});
