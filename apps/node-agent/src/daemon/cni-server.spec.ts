import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CNI_CODE, CniError } from '../cni/errors.js';
import { MAX_LINE_BYTES, type WireRequest } from '../cni/wire.js';
import { CniServer } from './cni-server.js';
import { CniService } from './cni-service.js';

const logger = pino({ level: 'silent' });
const STATUS: WireRequest = {
  env: { CNI_COMMAND: 'STATUS' },
  stdin: '{"cniVersion":"1.1.0","name":"heddle","type":"heddle-cni"}',
  startMs: 1,
};

describe('the socket for the CNI executable', () => {
  let dir: string;
  let path: string;
  let server: CniServer;
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'hdagent-'));
    path = join(dir, 'sub/agent.sock');
    const starting = new CniError(CNI_CODE.unavailable, 'the node agent is starting');
    const never = new Promise<void>(() => undefined);
    const service = new CniService({ node: () => starting, ready: never, patienceMs: 20, logger });
    server = await CniServer.listen({ path, handle: (request) => service.handle(request), logger });
  });
  afterEach(async () => {
    await server.close();
    rmSync(dir, { recursive: true });
  });

  /** Sends the parts one after another; gives what comes back until the end. */
  function talk(...parts: readonly string[]): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(path);
      let text = '';
      socket.setEncoding('utf8');
      socket.on('data', (part) => {
        text += part;
      });
      socket.on('close', () => resolve(text));
      // The server may have hung up in the middle of what is too long.
      socket.on('error', () => undefined);
      const [first = '', ...rest] = parts;
      socket.write(first);
      rest.forEach((part, i) => {
        setTimeout(() => socket.write(part), 5 * (i + 1));
      });
    });
  }

  it('is for its owner only', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('says before the node is set up that it is not available', async () => {
    const answer = JSON.parse(await talk(`${JSON.stringify(STATUS)}\n`));
    expect(answer.exit).toBe(1);
    expect(JSON.parse(answer.stdout)).toEqual({
      cniVersion: '1.1.0',
      code: 50,
      msg: 'the node agent is starting',
      details: '',
    });
  });

  it('says "try again later" to DEL then', async () => {
    const env = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'c', CNI_IFNAME: 'eth0' };
    const answer = JSON.parse(await talk(`${JSON.stringify({ ...STATUS, env })}\n`));
    expect(JSON.parse(answer.stdout).code).toBe(11);
  });

  it('takes a request in pieces', async () => {
    const line = `${JSON.stringify(STATUS)}\n`;
    expect(JSON.parse(await talk(line.slice(0, 7), line.slice(7, 40), line.slice(40))).exit).toBe(1);
  });

  it.each([
    ['garbage', 'GET / HTTP/1.1\r\n\r\n'],
    ['JSON of another kind', '{"hello":1}\n'],
    ['a line that is too long', 'x'.repeat(MAX_LINE_BYTES + 1)],
  ])('hangs up on %s, and lives on', async (_name, text) => {
    expect(await talk(text)).toBe('');
    expect(JSON.parse(await talk(`${JSON.stringify(STATUS)}\n`)).exit).toBe(1);
  });

  it('is not taken from a living agent', async () => {
    await expect(CniServer.listen({ path, handle: () => Promise.reject(new Error('unused')), logger })).rejects.toThrow(
      /another agent is listening/,
    );
  });
});
