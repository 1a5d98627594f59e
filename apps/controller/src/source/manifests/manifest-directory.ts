import { constants, type Dirent, type FSWatcher, watch } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Clock } from '../../clock.js';
import { MAX_FILE_BYTES } from './read-manifest.js';

const EXTENSION = /\.(ya?ml|json)$/;
/** Editors write a file in several steps; the rescan waits until it has been quiet for this long. */
const QUIET_MS = 40;
/** ... but not for ever, if something never stops writing. */
const MAX_WAIT_MS = 500;
/** inotify says nothing on some file systems (NFS, some bind mounts): look again now and then. */
const POLL_MS = 5_000;
const MAX_FILES = 10_000;

/** One file as it is now. `stamp` is equal as long as the file is; `text` undefined says that it could not be read. */
export interface FileContent {
  readonly path: string;
  readonly stamp: string;
  readonly text: string | undefined;
  readonly error: string | undefined;
}

/** A directory of manifests with its sub-directories, and a hint whenever something may have changed. */
export class ManifestDirectory {
  private readonly watchers = new Map<string, FSWatcher>();
  private stopTimer: (() => void) | undefined;
  private stopPoll: (() => void) | undefined;
  private firstHintAt: number | undefined;
  private cache = new Map<string, FileContent>();
  private changed: (() => void) | undefined;

  constructor(
    private readonly root: string,
    private readonly clock: Clock,
  ) {}

  /** Calls back some time after anything may have changed. */
  watch(changed: () => void): void {
    this.changed = changed;
    this.poll();
  }

  /**
   * Every manifest below the root, sorted by path; files that did not change are not read again.
   * @throws Error if the root cannot be listed
   */
  async scan(): Promise<readonly FileContent[]> {
    const directories = new Set<string>();
    const files = await this.list(this.root, directories);
    for (const [directory, watcher] of this.watchers)
      if (!directories.has(directory)) {
        watcher.close();
        this.watchers.delete(directory);
      }
    if (files.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} manifests`);
    const next = new Map<string, FileContent>();
    for (const path of files.sort()) next.set(path, await this.read(path));
    // A file that vanished between listing and reading is not there; one that cannot be read is.
    for (const [path, content] of next) if (content.stamp === 'gone') next.delete(path);
    this.cache = next;
    return [...next.values()];
  }

  close(): void {
    this.changed = undefined;
    this.stopTimer?.();
    this.stopPoll?.();
    for (const watcher of this.watchers.values()) watcher.close();
    this.watchers.clear();
  }

  private async list(directory: string, directories: Set<string>): Promise<string[]> {
    directories.add(directory);
    // The watch comes before the listing: what appears in between is then either listed or told.
    this.watchDirectory(directory);
    let entries: Dirent[];
    try {
      entries = await readdir(directory, { withFileTypes: true });
    } catch (e) {
      if (directory !== this.root && (e as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw e;
    }
    const found: string[] = [];
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) found.push(...(await this.list(path, directories)));
      else if (EXTENSION.test(entry.name)) found.push(path);
    }
    return found;
  }

  private async read(path: string): Promise<FileContent> {
    const name = relative(this.root, path);
    try {
      // O_NONBLOCK: a FIFO with a manifest's name must not stop us.
      const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stat = await file.stat({ bigint: true });
        const stamp = `${stat.ino}/${stat.size}/${stat.mtimeNs}/${stat.ctimeNs}`;
        const before = this.cache.get(path);
        if (before?.stamp === stamp) return before;
        if (!stat.isFile()) return { path: name, stamp, text: undefined, error: 'not a regular file' };
        if (stat.size > MAX_FILE_BYTES)
          return { path: name, stamp, text: undefined, error: `larger than ${MAX_FILE_BYTES} bytes, not read` };
        return { path: name, stamp, text: await file.readFile('utf8'), error: undefined };
      } finally {
        await file.close();
      }
    } catch (e) {
      const gone = (e as NodeJS.ErrnoException).code === 'ENOENT';
      return { path: name, stamp: gone ? 'gone' : 'unreadable', text: undefined, error: String((e as Error).message) };
    }
  }

  private watchDirectory(directory: string): void {
    if (this.watchers.has(directory) || this.changed === undefined) return;
    try {
      const watcher = watch(directory, { persistent: false }, () => this.hint());
      watcher.on('error', () => this.forget(directory, watcher));
      this.watchers.set(directory, watcher);
    } catch {
      // Out of inotify watches, or the directory is gone again: the poll sees to it.
      return;
    }
  }

  private forget(directory: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.watchers.get(directory) === watcher) this.watchers.delete(directory);
    this.hint();
  }

  private hint(): void {
    const now = this.clock.now();
    this.firstHintAt ??= now;
    this.stopTimer?.();
    const left = this.firstHintAt + MAX_WAIT_MS - now;
    this.stopTimer = this.clock.after(Math.max(0, Math.min(QUIET_MS, left)), () => {
      this.firstHintAt = undefined;
      this.changed?.();
    });
  }

  private poll(): void {
    this.stopPoll = this.clock.after(POLL_MS, () => {
      this.changed?.();
      if (this.changed !== undefined) this.poll();
    });
  }
}
