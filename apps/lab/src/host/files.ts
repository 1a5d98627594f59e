import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

let sequence = 0;

/** Writes a file so that a reader sees either the old or the new text, never half of it. */
export async function writeAtomically(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  sequence += 1;
  // A dot file without a YAML ending: the controller, which may watch this directory, does not look at it.
  const temporary = `${dirname(path)}/.${process.pid}.${sequence}.tmp`;
  await writeFile(temporary, text, { mode });
  await rename(temporary, path);
}

/** The text of a file, or undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (e) {
    if (isErrno(e, 'ENOENT', 'ENOTDIR')) return undefined;
    throw e;
  }
}

/** Whether an error is a system error with one of these codes. */
export function isErrno(e: unknown, ...codes: readonly string[]): boolean {
  return e instanceof Error && 'code' in e && codes.includes(String(e.code));
}
