import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
}

export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command of ours that did not do what it should; the message holds the command and what it said. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  constructor(
    readonly argv: readonly string[],
    readonly result: RunResult,
  ) {
    const said = (result.stderr.trim() || result.stdout.trim() || `exit code ${result.code ?? result.signal}`).slice(
      0,
      2000,
    );
    super(`${argv.join(' ')}: ${said}`);
  }
}

/** Runs a program to its end. Rejects only if it cannot be started; `timeoutMs` (default 30 s) ends it with SIGKILL. */
export function runAny(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [file, ...args] = argv;
  if (file === undefined) return Promise.reject(new RangeError('an empty command'));
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      timeout: options.timeoutMs ?? 30_000,
      killSignal: 'SIGKILL',
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => out.push(part));
    child.stderr.on('data', (part: Buffer) => err.push(part));
    child.on('error', reject);
    // The program may end without reading its input; that shows in its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.on('close', (code, signal) =>
      resolve({
        code,
        signal,
        stdout: Buffer.concat(out).toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
      }),
    );
  });
}

/** Runs a program and returns its standard output. @throws CommandError unless it exits with 0 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await runAny(argv, options);
  if (result.code !== 0) throw new CommandError(argv, result);
  return result.stdout;
}

/** Runs many `ip` commands inside a network namespace, in one process; the first failure stops it. */
export function ipBatch(netns: string, lines: readonly string[]): Promise<string> {
  return run(['ip', '-n', netns, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Calls `probe` until it returns something other than undefined.
 * @throws Error `what` + " (waited N s)" when `timeoutMs` is over
 */
export async function waitFor<T>(
  what: string | (() => string),
  timeoutMs: number,
  probe: () => Promise<T | undefined> | T | undefined,
  everyMs = 50,
): Promise<T> {
  const start = performance.now();
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (performance.now() - start > timeoutMs)
      throw new Error(`${typeof what === 'string' ? what : what()} (waited ${Math.round(timeoutMs / 1000)} s)`);
    await sleep(everyMs);
  }
}
