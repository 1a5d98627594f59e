import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Command } from 'commander';
import {
  connectSocket,
  decodeMessage,
  type Endpoint,
  FrameReader,
  formatMessage,
  formatOpenFlowEndpoint,
  OpenFlowDecodeError,
  OpenFlowFramingError,
  parseOpenFlowEndpoint,
} from 'openflow-ts';
import { summaryOf } from './decode.js';
import { toJson } from './json.js';
import { print } from './lines.js';
import { type TargetOptions, tlsOf, withTarget } from './target.js';

interface SnoopOptions extends TargetOptions {
  readonly json: boolean;
  readonly summary: boolean;
  readonly count?: string;
}

/** `>` is from whoever dialled us to the target, `<` the other way. */
type Direction = '>' | '<';

function describe(bytes: Uint8Array, o: SnoopOptions, connection: number, direction: Direction): string {
  let text: string;
  try {
    const decoded = decodeMessage(bytes);
    if (o.json) return `${toJson({ connection, direction, ...decoded })}\n`;
    text = o.summary ? summaryOf(decoded) : formatMessage(decoded).replace(/\n+$/, '');
  } catch (error) {
    if (!(error instanceof OpenFlowDecodeError)) throw error;
    const hex = Buffer.from(bytes).toString('hex');
    const why = `${error.path} at byte ${error.offset}: ${error.reason}`;
    if (o.json) return `${toJson({ connection, direction, error: why, bytes: hex })}\n`;
    text = `error: ${why}: ${hex}`;
  }
  return `#${connection} ${direction} ${text}\n`;
}

/** Passes all bytes on, whatever they are, and shows the messages among them. */
function relay(from: Socket, to: Socket, connection: number, direction: Direction, o: SnoopOptions): void {
  const frames = new FrameReader();
  let readable = true;
  from.on('data', (chunk: Buffer) => {
    if (!to.write(chunk)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
    if (!readable) return;
    let out = '';
    try {
      frames.push(chunk, (message) => {
        out += describe(message, o, connection, direction);
      });
    } catch (error) {
      if (!(error instanceof OpenFlowFramingError)) throw error;
      readable = false;
      out += `#${connection} ${direction} error: stream: ${error.message}; the rest is passed on unread\n`;
    }
    if (out === '') return;
    from.pause();
    void print(out).then(() => {
      if (!to.writableNeedDrain) from.resume();
    });
  });
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroySoon());
}

async function join(client: Socket, target: string, connection: number, o: SnoopOptions): Promise<void> {
  client.pause();
  client.on('error', () => undefined);
  try {
    const upstream = await connectSocket({ target, tls: tlsOf(o) });
    relay(client, upstream, connection, '>', o);
    relay(upstream, client, connection, '<', o);
    client.resume();
    client.once('close', () => void print(o.json ? '' : `#${connection} closed\n`));
  } catch (error) {
    client.destroy();
    process.stderr.write(`heddle: #${connection}: ${target}: ${(error as Error).message}\n`);
  }
}

function listen(server: Server, endpoint: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(endpoint.kind === 'unix' ? { path: endpoint.path } : endpoint, resolve);
  });
}

/** `heddle of snoop` */
export function snoopCommand(): Command {
  return withTarget(new Command('snoop'))
    .description('stand between a controller and a switch and print what they say')
    .argument('<listen>', 'where to wait: unix:PATH, tcp:HOST:PORT (port 0: any free one) or ssl:HOST:PORT')
    .argument('<target>', 'whom to dial for each connection that comes')
    .option('--summary', 'one line for each message', false)
    .option('--json', 'decoded objects, one a line', false)
    .option('--count <connections>', 'end after so many connections')
    .addHelpText(
      'after',
      `
Every byte is passed on unchanged. "#1 > ..." is a message from the first that dialled us, "#1 < ..." one to it. The address
that is listened on is printed first, on standard error. Ends with Ctrl-C.

Examples:
  heddle of snoop unix:/tmp/snoop.sock unix:/run/openvswitch/br-int.mgmt
  ovs-ofctl -O OpenFlow14 dump-flows unix:/tmp/snoop.sock
  heddle of snoop tcp:127.0.0.1:6654 tcp:127.0.0.1:6653 --summary      # the switch dials 6654, the controller waits on 6653`,
    )
    .action(async (where: string, target: string, o: SnoopOptions) => {
      const endpoint = parseOpenFlowEndpoint(where);
      parseOpenFlowEndpoint(target);
      const tls = tlsOf(o);
      if (endpoint.kind === 'ssl' && tls === undefined) throw new RangeError('ssl needs a key and certificates');
      let connections = 0;
      const accept = (socket: Socket) => {
        const number = ++connections;
        if (o.count !== undefined && connections >= Number(o.count)) server.close();
        void join(socket, target, number, o);
      };
      const server =
        endpoint.kind === 'ssl'
          ? createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, accept)
          : createServer(accept);
      await listen(server, endpoint);
      const address = server.address();
      const at =
        endpoint.kind !== 'unix' && typeof address === 'object' && address
          ? { ...endpoint, port: address.port }
          : endpoint;
      process.stderr.write(`listening on ${formatOpenFlowEndpoint(at)}\n`);
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        process.once(signal, () => {
          const done = endpoint.kind === 'unix' ? rm(endpoint.path, { force: true }) : Promise.resolve();
          void done.finally(() => process.exit(0));
        });
    });
}
