import { connect } from 'node:net';
import type { WireAnswer, WireRequest } from './wire.js';

const STATUS_TIMEOUT_MS = 5_000;

/** Asks the agent whether it can serve ADD, as the CNI executable's STATUS does. @throws Error if nobody answers */
export function askStatus(socket: string): Promise<WireAnswer> {
  const stdin = JSON.stringify({ cniVersion: '1.1.0', name: 'heddle', type: 'heddle-cni', socket });
  const request: WireRequest = { env: { CNI_COMMAND: 'STATUS' }, stdin, startMs: 0 };
  return new Promise((resolve, reject) => {
    const stream = connect(socket);
    let text = '';
    stream.setEncoding('utf8');
    stream.setTimeout(STATUS_TIMEOUT_MS, () => stream.destroy(new Error(`no answer in ${STATUS_TIMEOUT_MS} ms`)));
    stream.on('error', reject);
    stream.on('data', (part: string) => {
      text += part;
    });
    stream.on('end', () => {
      try {
        resolve(JSON.parse(text) as WireAnswer);
      } catch (cause) {
        reject(new Error('it ended before it answered', { cause }));
      }
    });
    stream.write(`${JSON.stringify(request)}\n`);
  });
}
