import { link, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isErrno } from './files.js';
import { isAlive, type ProcessId, processId } from './processes.js';
import { sleep } from './run.js';

let sequence = 0;

/**
 * Runs `work` while holding a lock file that names us (pid and start time), so that `up`, `down` and `apply` of one lab do not mix.
 * The lock of a process that has ended is taken over.
 * @throws Error after `timeoutMs` if another process keeps it
 */
export async function withLock<T>(file: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  await removeLeftovers(file);
  sequence += 1;
  const mine = `${file}.${process.pid}.${sequence}`;
  const name = JSON.stringify(await processId(process.pid));
  await writeFile(mine, name);
  for (const start = performance.now(); ; await sleep(100)) {
    try {
      // A link appears with its content: nobody ever reads a lock without a name in it.
      await link(mine, file);
      break;
    } catch (e) {
      // Another command that began at the same moment found our name half-written, and took it for a leftover.
      if (isErrno(e, 'ENOENT')) await writeFile(mine, name);
      else if (!isErrno(e, 'EEXIST')) throw e;
    }
    const holder = await readHolder(file);
    if (holder !== undefined && !(await isAlive(holder))) {
      await rm(file, { force: true });
      continue;
    }
    if (performance.now() - start > timeoutMs) {
      await rm(mine, { force: true });
      throw new Error(`another heddle-lab command is at work (process ${holder?.pid ?? 'unknown'}, lock ${file})`);
    }
  }
  await rm(mine, { force: true });
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

/** What commands that were killed while they waited have left. */
async function removeLeftovers(file: string): Promise<void> {
  const names = (await readdir(dirname(file))).filter((n) => n.startsWith(`${basename(file)}.`));
  for (const name of names) {
    const left = join(dirname(file), name);
    const owner = await readHolder(left);
    if (owner === undefined || !(await isAlive(owner))) await rm(left, { force: true });
  }
}

async function readHolder(file: string): Promise<ProcessId | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ProcessId;
  } catch {
    return undefined; // just removed: look again
  }
}
