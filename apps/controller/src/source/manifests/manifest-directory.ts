import { type Dirent, type FSWatcher, statSync, watch } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Clock } from '../../clock.js';
import { type FileContent, GONE, NOT_A_FILE, readContent, readContentNow } from './manifest-file.js';

const EXTENSION = /\.(ya?ml|json)$/;
/** Editors write a file in several steps; the rescan waits until it has been quiet for this long. */
const QUIET_MS = 40;
/** Files that are put in place by rename(2) are whole at once; this only gathers several of them. */
const RENAMED_QUIET_MS = 1;
/** ... but not for ever, if something never stops writing. */
const MAX_WAIT_MS = 500;
/** inotify says nothing on some file systems (NFS, some bind mounts): look again now and then. */
const POLL_MS = 5_000;
const MAX_FILES = 10_000;

/** What a look at the directory found: every file, sorted by path, or the ones that may have changed and those that are gone. */
export type Scan =
  | { readonly kind: 'all'; readonly files: readonly FileContent[] }
  | { readonly kind: 'some'; readonly files: readonly FileContent[]; readonly gone: readonly string[] };

/** 0 of what is not there or cannot be looked at. */
function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

/** A directory of manifests with its sub-directories, and a hint whenever something may have changed. */
export class ManifestDirectory {
  private readonly watchers = new Map<string, FSWatcher>();
  private stopTimer: (() => void) | undefined;
  private stopPoll: (() => void) | undefined;
  private firstHintAt: number | undefined;
  private quietUntil = 0;
  /** How often something was heard. */
  private hints = 0;
  /** Files that inotify named since the last scan; everything may have changed if `all` is set. */
  private touched = { all: true, paths: new Set<string>() };
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
  async scan(): Promise<Scan> {
    // What changes from here on is for the next scan.
    this.touched = { all: false, paths: new Set() };
    try {
      return { kind: 'all', files: await this.scanAll() };
    } catch (e) {
      this.touched.all = true;
      throw e;
    }
  }

  /**
   * As `scan`, but looks only at the files that inotify has named since the last time, if it named every one.
   * @throws Error if the root cannot be listed
   */
  async scanTouched(): Promise<Scan> {
    const { all, paths } = this.touched;
    if (all) return this.scan();
    this.touched = { all: false, paths: new Set() };
    const files: FileContent[] = [];
    const gone: string[] = [];
    for (const path of paths) {
      const content = readContentNow(path, relative(this.root, path), this.cache.get(path));
      if (content.error === NOT_A_FILE) return this.scan();
      if (content.stamp === GONE) {
        this.cache.delete(path);
        gone.push(content.path);
      } else {
        this.cache.set(path, content);
        files.push(content);
      }
    }
    // What was found is told by the next look at everything.
    if (this.cache.size > MAX_FILES) return this.scan();
    return { kind: 'some', files, gone };
  }

  private async scanAll(): Promise<readonly FileContent[]> {
    const directories = new Set<string>();
    const files = await this.list(this.root, directories);
    for (const [directory, watcher] of this.watchers)
      if (!directories.has(directory)) {
        watcher.close();
        this.watchers.delete(directory);
      }
    if (files.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} manifests`);
    const next = new Map<string, FileContent>();
    for (const path of files.sort())
      next.set(path, await readContent(path, relative(this.root, path), this.cache.get(path)));
    // A file that vanished between listing and reading is not there; one that cannot be read is.
    for (const [path, content] of next) if (content.stamp === GONE) next.delete(path);
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

  private watchDirectory(directory: string): void {
    if (this.watchers.has(directory) || this.changed === undefined) return;
    try {
      const watcher = watch(directory, { persistent: false }, (event, name) => this.heard(directory, event, name));
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
    this.touched.all = true;
    this.hint(QUIET_MS);
  }

  private heard(directory: string, event: 'rename' | 'change', name: string | null): void {
    if (name?.startsWith('.')) return;
    // A name that is no manifest's may be a directory; a manifest's may be one too, which reading it shows.
    if (name === null || !EXTENSION.test(name)) this.touched.all = true;
    else this.touched.paths.add(join(directory, name));
    const isFirst = this.firstHintAt === undefined;
    // "rename" is a name that comes or goes. One that is written in place says "change" as well.
    this.hint(event === 'rename' ? RENAMED_QUIET_MS : QUIET_MS);
    const { hints } = this;
    // A single file that is put in place by rename(2) is told of without a timer.
    if (isFirst && event === 'rename')
      setImmediate(() => {
        if (this.hints === hints && !this.touched.all) this.tellIfWhole();
      });
  }

  private hint(quietMs: number): void {
    const now = this.clock.now();
    this.hints++;
    this.firstHintAt ??= now;
    this.quietUntil = Math.max(this.quietUntil, now + quietMs);
    this.stopTimer?.();
    const end = Math.min(this.quietUntil, this.firstHintAt + MAX_WAIT_MS);
    const told = this.quietUntil - this.firstHintAt >= QUIET_MS;
    this.stopTimer = this.clock.after(Math.max(0, end - now), () => (told ? this.tell() : this.tellIfWhole()));
  }

  /**
   * Some editors move the old file away and then write a new one: a name that is gone or empty a moment after it was
   * touched gets the time that it would have had without the short cut. A policy must not be away for a millisecond.
   * What was written before it was looked at has said "change" by the next turn of the event loop.
   */
  private tellIfWhole(): void {
    const { hints } = this;
    if ([...this.touched.paths].some((path) => sizeOf(path) === 0)) {
      this.hint(QUIET_MS);
      return;
    }
    setImmediate(() => {
      // Something more was heard, or all is told.
      if (this.hints !== hints || this.firstHintAt === undefined) return;
      this.stopTimer?.();
      this.tell();
    });
  }

  private tell(): void {
    this.firstHintAt = undefined;
    this.changed?.();
  }

  private poll(): void {
    this.stopPoll = this.clock.after(POLL_MS, () => {
      this.touched.all = true;
      this.changed?.();
      if (this.changed !== undefined) this.poll();
    });
  }
}
