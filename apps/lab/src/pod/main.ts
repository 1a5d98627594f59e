import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { listenTcp, listenUdp } from './echo.js';
import { runProbes } from './probe-client.js';
import type { PodProgramConfig, ProbeAnswer, ProbeRequest } from './protocol.js';

/** Entry of the program that every pod of the lab runs: echo servers on the pod's ports, and probes on command. */

const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

function serveProbes(socket: Socket): void {
  let text = '';
  socket.setEncoding('utf8');
  socket.on('error', () => socket.destroy());
  socket.on('data', async (part: string) => {
    text += part;
    if (text.length > MAX_REQUEST_BYTES) {
      socket.destroy();
      return;
    }
    const end = text.indexOf('\n');
    if (end < 0) return;
    const line = text.slice(0, end);
    text = text.slice(end + 1);
    try {
      const request = JSON.parse(line) as ProbeRequest;
      const answer: ProbeAnswer = { results: await runProbes(request.probes) };
      socket.write(`${JSON.stringify(answer)}\n`);
    } catch (e) {
      console.error('a probe request that cannot be used', e);
      socket.destroy();
    }
  });
}

async function main(): Promise<void> {
  const config = JSON.parse(process.env.HEDDLE_LAB_POD ?? '') as PodProgramConfig;
  for (const { port, protocol } of config.ports) {
    if (protocol === 'TCP') await listenTcp(config.pod, port);
    else if (protocol === 'UDP') await listenUdp(config.pod, port);
    else console.log(`${config.pod}: ${protocol} port ${port}: not served, this program has no SCTP`);
  }
  // Last: whoever finds the socket may rely on the ports.
  await rm(config.socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    const server = createServer(serveProbes);
    server.once('error', reject);
    server.listen(config.socket, resolve);
  });
  console.log(
    `${config.pod}: listening on ${config.ports.map((p) => `${p.port}/${p.protocol}`).join(', ') || 'no port'}`,
  );
}

process.on('SIGTERM', () => process.exit(0));
main().catch((e: unknown) => {
  console.error(e);
  process.exit(1);
});
