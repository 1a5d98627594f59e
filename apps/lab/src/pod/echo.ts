import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { type EchoAnswer, endpointText, PATTERN_PERIOD, patternBlock } from './protocol.js';

/** Longest `/bytes/N` and longest upload that is answered. */
const MAX_BYTES = 10_000_000_000;
/** An HTTP request begins with its method; anything else is echoed as it is. */
const HTTP_START = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH) /;

/**
 * One TCP port, both families. HTTP: `/` says who answers and who asked, `/bytes/N` sends N bytes, POST or PUT anywhere counts and hashes what comes.
 * Any other first byte: a JSON line with the same answer, then everything is echoed.
 */
export function listenTcp(pod: string, port: number): Promise<Server> {
  const http = createHttpServer((request, response) => answerHttp(pod, request, response));
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy()); // a peer that goes away is its own business
    socket.once('data', (first: Buffer) => {
      if (HTTP_START.test(first.subarray(0, 8).toString('latin1'))) handToHttp(http, socket, first);
      else echo(pod, socket, first);
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '::', ipv6Only: false }, () => resolve(server));
  });
}

function handToHttp(http: HttpServer, socket: Socket, first: Buffer): void {
  socket.pause();
  http.emit('connection', socket);
  socket.unshift(first);
  socket.resume();
}

function echo(pod: string, socket: Socket, first: Buffer): void {
  socket.write(`${JSON.stringify(whoAmI(pod, socket))}\n`);
  socket.write(first);
  socket.pipe(socket);
}

function whoAmI(pod: string, socket: Socket): EchoAnswer {
  return {
    pod,
    peer: endpointText(socket.remoteAddress ?? '', socket.remotePort ?? 0),
    local: endpointText(socket.localAddress ?? '', socket.localPort ?? 0),
  };
}

function answerHttp(pod: string, request: IncomingMessage, response: ServerResponse): void {
  const bytes = /^\/bytes\/(\d{1,11})$/.exec(request.url ?? '');
  if (bytes !== null) {
    sendBytes(Math.min(Number(bytes[1]), MAX_BYTES), response);
    return;
  }
  const hash = createHash('sha256');
  let received = 0;
  request.on('data', (part: Buffer) => {
    received += part.length;
    hash.update(part);
  });
  request.on('end', () => {
    const answer = { ...whoAmI(pod, request.socket), received, sha256: hash.digest('hex') };
    const body = `${JSON.stringify(answer)}\n`;
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-pod': pod,
    });
    response.end(body);
  });
}

function sendBytes(total: number, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': total });
  const block = patternBlock();
  let sent = 0;
  const pump = () => {
    while (sent < total) {
      const phase = sent % PATTERN_PERIOD;
      const part = block.subarray(phase, Math.min(block.length, phase + total - sent));
      sent += part.length;
      if (!response.write(part)) {
        response.once('drain', pump);
        return;
      }
    }
    response.end();
  };
  pump();
}

/** One UDP port, both families: every datagram is answered with who answers, who asked and what came. */
export function listenUdp(pod: string, port: number): Promise<void> {
  const socket = createSocket({ type: 'udp6', ipv6Only: false });
  socket.on('message', (data, peer) => {
    const answer = {
      pod,
      peer: endpointText(peer.address, peer.port),
      local: `:${port}`,
      echo: data.toString('latin1').slice(0, 1024),
    };
    socket.send(JSON.stringify(answer), peer.port, peer.address, () => undefined);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ port, address: '::' }, () => {
      socket.removeListener('error', reject);
      // An ICMP error caused by an earlier answer shows up here; the next client must be served all the same.
      socket.on('error', () => undefined);
      resolve();
    });
  });
}
