import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, createReadStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** One executable that the node needs on its own file system. */
export interface HostFile {
  readonly from: string;
  readonly to: string;
  /** `missing`: what is there stays, whatever it is; another network or the distribution may have put it there. */
  readonly when: 'different' | 'missing';
}

/**
 * Copies executables to the host. Each appears whole, by a rename: the container runtime may run the old one at this very
 * moment, and a program in use cannot be written to.
 * @returns the paths that were written
 */
export async function copyToHost(files: readonly HostFile[]): Promise<readonly string[]> {
  const written: string[] = [];
  for (const { from, to, when } of files) {
    if (existsSync(to) && (when === 'missing' || (await digest(to)) === (await digest(from)))) continue;
    mkdirSync(dirname(to), { recursive: true });
    // A dot in front, since runtimes look for plugins by name only.
    const unfinished = `${dirname(to)}/.${basename(to)}.new`;
    rmSync(unfinished, { force: true });
    copyFileSync(from, unfinished);
    chmodSync(unfinished, 0o755);
    renameSync(unfinished, to);
    written.push(to);
  }
  return written;
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
