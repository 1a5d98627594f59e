import { type BigIntStats, closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { MAX_FILE_BYTES } from './read-manifest.js';

/** One file as it is now. `stamp` is equal as long as the file is; `text` undefined says that it could not be read. */
export interface FileContent {
  /** Below the root of the manifests. */
  readonly path: string;
  readonly stamp: string;
  readonly text: string | undefined;
  readonly error: string | undefined;
}

/** The stamp of what is not there. */
export const GONE = 'gone';
export const NOT_A_FILE = 'not a regular file';

/** A FIFO with a manifest's name must not stop us. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

const stampOf = (s: BigIntStats): string => `${s.ino}/${s.size}/${s.mtimeNs}/${s.ctimeNs}`;

/**
 * Reads a file.
 * @param path below the root, for the outcome
 * @param before what is known of the file: given back if it is as it was
 */
export async function readContent(file: string, path: string, before?: FileContent): Promise<FileContent> {
  try {
    // Most files are as they were, which can be seen without opening them.
    if (before !== undefined && before.stamp === stampOf(await stat(file, { bigint: true }))) return before;
    const handle = await open(file, FLAGS);
    try {
      const now = await handle.stat({ bigint: true });
      return withoutReading(path, now, before) ?? read(path, now, await handle.readFile('utf8'));
    } finally {
      await handle.close();
    }
  } catch (e) {
    return unreadable(path, e);
  }
}

/**
 * The same before anything else happens: for a few files that something was done to on this machine a moment ago, so that
 * they cannot be on a mount that is away. Five trips to other threads take longer than the rest of a change.
 */
export function readContentNow(file: string, path: string, before?: FileContent): FileContent {
  try {
    const handle = openSync(file, FLAGS);
    try {
      const now = fstatSync(handle, { bigint: true });
      return withoutReading(path, now, before) ?? read(path, now, readFileSync(handle, 'utf8'));
    } finally {
      closeSync(handle);
    }
  } catch (e) {
    return unreadable(path, e);
  }
}

const read = (path: string, now: BigIntStats, text: string): FileContent => ({
  path,
  stamp: stampOf(now),
  text,
  error: undefined,
});

function withoutReading(path: string, now: BigIntStats, before: FileContent | undefined): FileContent | undefined {
  const stamp = stampOf(now);
  if (before?.stamp === stamp) return before;
  if (!now.isFile()) return { path, stamp, text: undefined, error: NOT_A_FILE };
  if (now.size > MAX_FILE_BYTES)
    return { path, stamp, text: undefined, error: `larger than ${MAX_FILE_BYTES} bytes, not read` };
  return undefined;
}

function unreadable(path: string, error: unknown): FileContent {
  const gone = (error as NodeJS.ErrnoException).code === 'ENOENT';
  return { path, stamp: gone ? GONE : 'unreadable', text: undefined, error: String((error as Error).message) };
}
