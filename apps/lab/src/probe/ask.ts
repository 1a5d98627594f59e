import { connect } from 'node:net';
import type { Probe, ProbeAnswer, ProbeResult } from '../pod/protocol.js';

/** Lets the pod program behind a socket run probes; the results stand in their order. @throws Error if the program does not answer */
export function askPod(pod: string, socketPath: string, probes: readonly Probe[]): Promise<readonly ProbeResult[]> {
  if (probes.length === 0) return Promise.resolve([]);
  const longest = Math.max(...probes.map((p) => p.timeoutMs));
  // Probes run 128 at a time.
  const limitMs = longest * (Math.ceil(probes.length / 128) + 1) + 10_000;
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(new Error(`the program of pod ${pod} does not answer (${socketPath}): ${why}`));
    const socket = connect(socketPath);
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(limitMs, () => {
      socket.destroy();
      fail(`nothing for ${limitMs} ms`);
    });
    socket.on('connect', () => socket.write(`${JSON.stringify({ probes })}\n`));
    socket.on('data', (part: string) => {
      text += part;
      if (!text.endsWith('\n')) return;
      socket.end();
      resolve((JSON.parse(text) as ProbeAnswer).results);
    });
    socket.on('error', (e) => fail(e.message));
    socket.on('close', () => fail('it closed the connection'));
  });
}
