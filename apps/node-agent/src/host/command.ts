import { spawn } from 'node:child_process';

/** A program that could not be started, ended with another status than 0, or took too long. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  constructor(
    readonly program: string,
    /** Null if it did not end by itself. */
    readonly status: number | null,
    readonly stderr: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface CommandOptions {
  /** Written to its stdin; a promise that rejects ends the program. */
  readonly input?: string | Promise<string>;
  /** Default 10 s; then it is killed. */
  readonly timeoutMs?: number;
}

/** What a program may print before it is taken for broken. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Runs a program without a shell and gives its stdout. @throws CommandError */
export function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const out = { stdout: '', stderr: '' };
    let killedBecause: string | undefined;
    const kill = (why: string) => {
      killedBecause = why;
      child.kill('SIGKILL');
      // Its own children may hold the pipes open.
      for (const pipe of child.stdio) pipe?.destroy();
    };
    const timer = setTimeout(() => kill(`did not end within ${timeoutMs} ms`), timeoutMs);
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (part: string) => {
        out[name] += part;
        if (out[name].length > MAX_OUTPUT_BYTES) kill(`printed more than ${MAX_OUTPUT_BYTES} bytes`);
      });
    }
    const fail = (what: string, status: number | null, cause?: Error) =>
      reject(new CommandError(program, status, out.stderr.trim(), `${program} ${what}`, { cause }));
    child.on('error', (e) => {
      clearTimeout(timer);
      fail(`cannot be run: ${e.message}`, null, e);
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      if (killedBecause !== undefined) fail(killedBecause, null);
      else if (status !== 0)
        fail(
          `failed (${signal ?? `status ${status}`}): ${(out.stderr.trim() || out.stdout.trim()).replaceAll('\n', '; ')}`,
          status,
        );
      else resolve(out.stdout);
    });
    // A program that ends before it has read its input is reported by its status.
    child.stdin.on('error', () => undefined);
    Promise.resolve(options.input ?? '').then(
      (text) => child.stdin.end(text),
      () => kill('was not needed any more'),
    );
  });
}

/** Runs lines of `ip` commands in one process; the first that fails ends it. @throws CommandError with `ip`'s words */
export function ipBatch(lines: readonly string[], netns?: string): Promise<string> {
  const input = `${lines.join('\n')}\n`;
  return netns === undefined
    ? run('ip', ['-batch', '-'], { input })
    : run('nsenter', [`--net=${netns}`, 'ip', '-batch', '-'], { input });
}
