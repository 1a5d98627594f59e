import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { InvalidArgumentError, Option } from 'commander';
import { OpenFlowDecodeError, OpenFlowEncodeError, OpenFlowTextError, type Version } from 'openflow-ts';

/** A line of input that cannot be used, and where in it. */
export class LineError extends Error {
  override readonly name = 'LineError';
  constructor(
    readonly where: string,
    readonly why: string,
  ) {
    super(`${where}: ${why}`);
  }
}

/** What is wrong with a line, as `WHERE: WHY`. Other errors are not the line's fault and go on. */
export function explainLine(line: number | string, error: unknown): string {
  const at = typeof line === 'number' ? `line ${line}` : line;
  if (error instanceof LineError)
    return error.where === '' ? `${at}: ${error.why}` : `${at}, ${error.where}: ${error.why}`;
  if (error instanceof OpenFlowDecodeError) return `${at}, ${error.path} at byte ${error.offset}: ${error.reason}`;
  if (error instanceof OpenFlowTextError) return `${at}, column ${error.at + 1}: ${error.reason}`;
  if (error instanceof OpenFlowEncodeError) return `${at}, ${error.path}: ${error.reason}`;
  if (error instanceof RangeError || error instanceof SyntaxError) return `${at}: ${error.message}`;
  throw error;
}

/** Lines of a file, or of standard input for `-`; the first is number 1. */
export async function* readLines(file: string): AsyncGenerator<readonly [number: number, text: string]> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  // An error before the first line (no such file) must reach the caller, not end the process.
  const failed = new Promise<never>((_, reject) => input.once('error', reject));
  failed.catch(() => undefined);
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
  for (let number = 1; ; number++) {
    const next = await Promise.race([lines.next(), failed]);
    if (next.done) return;
    yield [number, next.value];
  }
}

/** Bytes of a line of hexadecimal digits; white space and a leading 0x are ignored. @throws LineError */
export function bytesOfHex(text: string): Uint8Array {
  const digits = text.replace(/^\s*0x/i, '').replace(/\s+/g, '');
  const bad = /[^0-9a-f]/i.exec(digits);
  if (bad !== null) throw new LineError(`digit ${bad.index + 1}`, `"${bad[0]}" is not hexadecimal`);
  if (digits.length % 2 === 1) throw new LineError('', `${digits.length} hexadecimal digits are not whole bytes`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

const VERSION_NAMES: Readonly<Record<string, Version>> = { '3': 'OF1.3', '4': 'OF1.4', '5': 'OF1.5' };

/** `1.3`, `OF1.4`, `OpenFlow15`. @throws InvalidArgumentError */
export function versionOf(text: string): Version {
  const version = VERSION_NAMES[/^(?:OF|OpenFlow)?1\.?([345])$/i.exec(text)?.[1] ?? ''];
  if (version === undefined) throw new InvalidArgumentError('want 1.3, 1.4 or 1.5');
  return version;
}
/** The option that picks a version. */
export const versionOption = (description: string) =>
  new Option('-V, --version <version>', description).argParser(versionOf);

/** Writes to standard output and waits while its reader is slow. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}

/**
 * Prints what becomes of each line of a file that is not passed over. A line that cannot be converted becomes
 * `error: WHERE: WHY` in its place, and the exit code is then 1.
 */
export async function convertLines(
  file: string,
  isPassedOver: (text: string) => boolean,
  convert: (text: string) => string,
): Promise<void> {
  let out = '';
  for await (const [number, text] of readLines(file)) {
    if (isPassedOver(text)) continue;
    try {
      out += `${convert(text)}\n`;
    } catch (error) {
      out += `error: ${explainLine(number, error)}\n`;
      process.exitCode = 1;
    }
    if (out.length > 65_536) {
      await print(out);
      out = '';
    }
  }
  await print(out);
}
