import { appendFileSync, readSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { CNI_CODE, CniError, formatError } from '../cni/errors.js';
import { CNI_VARIABLES, type CniVariable, decodeConfig, parseRequest } from '../cni/request.js';
import { formatVersions, NEWEST_VERSION } from '../cni/version.js';
import { MAX_STDIN_BYTES, type WireAnswer, type WireRequest } from '../cni/wire.js';

// The CNI executable: checks the call, hands it to the agent and prints the agent's answer. It lives for some 30 ms,
// nearly all of it Node's own start, so it imports nothing but node:net and node:fs.

/** Longer than any operation of the agent takes, which ends each of them by itself. */
const ANSWER_TIMEOUT_MS = 90_000;
/** An agent that is restarted, by an update for example, is away for about two seconds; without waiting each pod of that time costs its runtime a sandbox. */
const AGENT_PATIENCE_MS = 10_000;
const AGENT_RETRY_MS = 50;

/** @throws CniError with code 5 if stdin cannot be read or is larger than the bound */
function readStdin(): string {
  const parts: Buffer[] = [];
  let size = 0;
  const chunk = Buffer.allocUnsafe(64 * 1024);
  for (;;) {
    let n: number;
    try {
      n = readSync(0, chunk);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'EOF') break;
      if (code === 'EAGAIN') {
        // A caller's non-blocking pipe that has nothing yet: wait a millisecond without burning a core.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
        continue;
      }
      throw new CniError(CNI_CODE.io, 'cannot read the network configuration from stdin', String(cause), { cause });
    }
    if (n === 0) break;
    size += n;
    if (size > MAX_STDIN_BYTES)
      throw new CniError(CNI_CODE.io, `the network configuration on stdin is larger than ${MAX_STDIN_BYTES} bytes`);
    parts.push(Buffer.from(chunk.subarray(0, n)));
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The version that an error is reported in: that of the configuration if it can be read, whatever it is. */
function versionIn(stdin: string): string {
  try {
    const version = decodeConfig(stdin).cniVersion;
    return typeof version === 'string' && version !== '' ? version : NEWEST_VERSION;
  } catch {
    // Unreadable input is reported by whoever needs it.
    return NEWEST_VERSION;
  }
}

/** Waits for an agent that does not listen. @throws Error the last one, when patience is over */
async function connected(socket: string, patienceMs: number): Promise<Socket> {
  for (const end = performance.now() + patienceMs; ; ) {
    try {
      return await new Promise((resolve, reject) => {
        const stream = connect(socket, () => resolve(stream.off('error', reject)));
        stream.on('error', reject);
      });
    } catch (e) {
      const { code } = e as NodeJS.ErrnoException;
      if ((code !== 'ENOENT' && code !== 'ECONNREFUSED') || performance.now() >= end) throw e;
      await new Promise((done) => setTimeout(done, AGENT_RETRY_MS));
    }
  }
}

async function exchange(socket: string, request: WireRequest, patienceMs: number): Promise<WireAnswer> {
  const stream = await connected(socket, patienceMs).catch((cause: Error) => {
    throw new CniError(CNI_CODE.tryAgainLater, `cannot reach the node agent at ${socket}`, String(cause), { cause });
  });
  return new Promise((resolve, reject) => {
    const fail = (message: string, cause?: Error) =>
      reject(new CniError(CNI_CODE.tryAgainLater, message, cause === undefined ? '' : String(cause), { cause }));
    const parts: string[] = [];
    stream.setEncoding('utf8');
    stream.setTimeout(ANSWER_TIMEOUT_MS, () => {
      fail(`the node agent at ${socket} did not answer in ${ANSWER_TIMEOUT_MS} ms`);
      stream.destroy();
    });
    stream.on('error', (e) => fail(`cannot reach the node agent at ${socket}`, e));
    stream.on('data', (part: string) => parts.push(part));
    stream.on('end', () => {
      try {
        resolve(JSON.parse(parts.join('')) as WireAnswer);
      } catch (cause) {
        fail(`the node agent at ${socket} ended before it answered`, cause as Error);
      }
    });
    stream.write(`${JSON.stringify(request)}\n`);
  });
}

/** For a benchmark: HEDDLE_CNI_TIMINGS=FILE gets one line of JSON for each call. */
function recordTimings(startMs: number, env: WireRequest['env'], answer: WireAnswer): void {
  const file = process.env.HEDDLE_CNI_TIMINGS;
  if (file === undefined || file === '') return;
  const totalMs = Math.round(process.uptime() * 1e5) / 100;
  const line = {
    command: env.CNI_COMMAND,
    containerId: env.CNI_CONTAINERID,
    exit: answer.exit,
    startMs,
    ...answer.timings,
    totalMs,
  };
  appendFileSync(file, `${JSON.stringify(line)}\n`);
}

async function run(): Promise<void> {
  const env: Partial<Record<CniVariable, string>> = {};
  for (const name of CNI_VARIABLES) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  let stdin = '';
  try {
    stdin = readStdin();
    if (env.CNI_COMMAND === 'VERSION') {
      // Old runtimes ask without a configuration.
      if (stdin.trim() !== '') decodeConfig(stdin);
      process.stdout.write(`${formatVersions(versionIn(stdin))}\n`);
      return;
    }
    const { config, command } = parseRequest(env, stdin);
    const startMs = Math.round(process.uptime() * 1e5) / 100;
    // Nobody waits for the others: STATUS asks how things are now, and a DEL that failed is repeated as it is.
    const patienceMs = command === 'ADD' ? AGENT_PATIENCE_MS : 0;
    const answer = await exchange(config.socket, { env, stdin, startMs }, patienceMs).catch((e: unknown) => {
      if (!(e instanceof CniError) || command !== 'STATUS') throw e;
      // STATUS has its own word for "not now".
      throw new CniError(CNI_CODE.unavailable, e.message, e.details, { cause: e });
    });
    if (answer.stdout !== '') process.stdout.write(`${answer.stdout}\n`);
    process.exitCode = answer.exit;
    recordTimings(startMs, env, answer);
  } catch (e) {
    const error =
      e instanceof CniError ? e : new CniError(CNI_CODE.internal, 'heddle-cni failed', String(e), { cause: e });
    process.stdout.write(`${formatError(versionIn(stdin), error)}\n`);
    process.exitCode = 1;
  }
}

// Not by an empty event loop: closing the socket would cost a few milliseconds of every ADD. Standard output is written
// synchronously on Linux, so nothing is lost.
void run().then(() => process.exit());
