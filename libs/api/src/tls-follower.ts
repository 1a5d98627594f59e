import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { readTlsFiles, type TlsFiles, type TlsSet } from './tls-files.js';

/** What a follower tells; nothing in it may throw. */
export interface TlsEvents {
  /** The files are others, and count from now on. */
  renewed(set: TlsSet): void;
  /** The files are others and cannot be used, so those of before go on. Once for each reason. */
  refused(reason: string): void;
  /** Something ends within two weeks, or has ended. Once a day. */
  ending(what: 'certificate' | 'authority', endsAt: number): void;
}

export interface TlsFollowerOptions {
  readonly files: TlsFiles;
  readonly events: TlsEvents;
  /** Milliseconds since 1970; default Date.now. */
  readonly now?: () => number;
  /** Calls back once, unless the function that it gives is called before; default setTimeout, unref'ed. */
  readonly after?: (ms: number, callback: () => void) => () => void;
}

/** Certificates that end this soon are told of. */
export const TLS_WARNING_MS = 14 * 86_400_000;
const REMINDER_MS = 86_400_000;
/** Who writes several files one after the other is done after a pause this long. */
const QUIET_MS = 250;
/** Folders that cannot be watched (too many watches, network file systems), and links out of them, are found by this. */
const POLL_MS = 30_000;

/**
 * Key, certificate and authority as the files have them, followed while somebody renews them. Only a set that was read as a
 * whole and fits together takes the place of the one before.
 */
export class TlsFollower {
  private set: TlsSet;
  private refusal: string | undefined;
  private readonly listeners: ((set: TlsSet) => void)[] = [];
  private readonly watchers: FSWatcher[] = [];
  private readonly remindedAt = new Map<string, number>();
  private readonly now: () => number;
  private readonly after: (ms: number, callback: () => void) => () => void;
  private stopPoll: (() => void) | undefined;
  private stopQuiet: (() => void) | undefined;

  /** @throws TlsFilesError if there is no set to begin with */
  constructor(private readonly options: TlsFollowerOptions) {
    this.now = options.now ?? Date.now;
    this.after = options.after ?? later;
    this.set = readTlsFiles(options.files);
  }

  /** The newest set that could be used. */
  get current(): TlsSet {
    return this.set;
  }

  /** Why what the files have now is not used, if so. */
  get trouble(): string | undefined {
    return this.refusal;
  }

  /** What ends within two weeks, or has ended. */
  ending(): { readonly what: 'certificate' | 'authority'; readonly endsAt: number }[] {
    const { certificateEndsAt, authorityEndsAt } = this.set;
    const all = [
      { what: 'certificate', endsAt: certificateEndsAt },
      { what: 'authority', endsAt: authorityEndsAt },
    ] as const;
    return all.filter(({ endsAt }) => endsAt - this.now() < TLS_WARNING_MS);
  }

  /** Calls with each new set. */
  onRenewed(listener: (set: TlsSet) => void): void {
    this.listeners.push(listener);
  }

  start(): void {
    // The folder and not the file: kubelet swaps a link beside it (`..data`), others put a new file in its place.
    for (const folder of new Set(Object.values(this.options.files).map((path) => dirname(path))))
      try {
        const watcher = watch(folder, { persistent: false }, () => this.lookSoon());
        watcher.on('error', () => watcher.close());
        this.watchers.push(watcher);
      } catch {
        // The poll finds what is new.
      }
    this.poll();
  }

  stop(): void {
    for (const watcher of this.watchers.splice(0)) watcher.close();
    this.stopPoll?.();
    this.stopQuiet?.();
  }

  /** Reads the files now. */
  look(): void {
    const { files, events } = this.options;
    try {
      const found = readTlsFiles(files, this.set);
      this.refusal = undefined;
      if (found !== this.set) {
        this.set = found;
        this.remindedAt.clear();
        events.renewed(found);
        for (const listener of this.listeners) listener(found);
      }
    } catch (e) {
      const reason = (e as Error).message;
      if (reason !== this.refusal) events.refused(reason);
      this.refusal = reason;
    }
    this.remind();
  }

  private remind(): void {
    for (const { what, endsAt } of this.ending()) {
      if (this.now() - (this.remindedAt.get(what) ?? Number.NEGATIVE_INFINITY) < REMINDER_MS) continue;
      this.remindedAt.set(what, this.now());
      this.options.events.ending(what, endsAt);
    }
  }

  private lookSoon(): void {
    this.stopQuiet?.();
    this.stopQuiet = this.after(QUIET_MS, () => this.look());
  }

  private poll(): void {
    this.look();
    this.stopPoll = this.after(POLL_MS, () => this.poll());
  }
}

function later(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  timer.unref();
  return () => clearTimeout(timer);
}
