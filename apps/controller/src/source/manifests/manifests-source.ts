import type { ObjectRef } from '@heddle/api';
import type { Clock } from '../../clock.js';
import { Serial } from '../../serial.js';
import { NO_OBJECTS, type Problem, type Source, type SourceChange, type SourceObjects } from '../model.js';
import { ToldProblems } from '../told-problems.js';
import { ManifestDirectory, type Scan } from './manifest-directory.js';
import type { FileContent } from './manifest-file.js';
import { type FileObjects, ObjectsOfFiles } from './objects-of-files.js';
import { objectKey, readManifest } from './read-manifest.js';

/** Keeps the last text of each file that was understood as a whole, so that a restart survives a file that is broken then. */
export interface LastGoodTexts {
  load(): Promise<ReadonlyMap<string, string>>;
  save(changed: ReadonlyMap<string, string>, gone: readonly string[]): Promise<void>;
}

export interface ManifestsSourceOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly lastGood: LastGoodTexts;
  /** Told when a rescan in the background fails; what was known stays. */
  readonly onError: (error: unknown) => void;
  /** Told of each problem once, when it appears. */
  readonly onProblem?: (problem: Problem) => void;
}

/** Time for what a change sets off, before what was understood is recorded: it takes the database and this thread. */
const RECORD_AFTER_MS = 200;
const RECORD_AGAIN_MS = 5_000;

/** What counts: what the file says, and for what is broken in it what it said last. */
interface FileState extends FileObjects {
  readonly stamp: string;
  /** What the file says now; undefined if it could not be read. */
  readonly text: string | undefined;
}

/** A directory of ordinary Kubernetes YAML as a source. */
export class ManifestsSource implements Source {
  readonly kind = 'manifests';
  /** Files are not read before they have been quiet for a moment. */
  readonly refreshHastens = true;
  readonly location: string;
  private readonly directory: ManifestDirectory;
  private readonly scans = new Serial();
  private files = new Map<string, FileState>();
  private goodTexts = new Map<string, string>();
  /** Files that changed since the last record of good texts. */
  private unrecorded = new Set<string>();
  private readonly objects = new ObjectsOfFiles();
  private readonly toldProblems: ToldProblems;
  private scanProblem: readonly Problem[] = [];
  private listener: ((change: SourceChange) => Promise<void>) | undefined;
  /** False while a change was found that the listener has not taken (it failed, or the database did). */
  private delivered = true;
  /** A rescan is queued that has not begun, so another request needs none of its own. */
  private queued: { all: boolean; done: Promise<void> } | undefined;
  /** Something was understood that is not recorded yet. */
  private stopRecording: (() => void) | undefined;

  constructor(private readonly options: ManifestsSourceOptions) {
    this.location = options.directory;
    this.toldProblems = new ToldProblems(options.onProblem);
    this.directory = new ManifestDirectory(options.directory, options.clock);
  }

  async start(listener: (change: SourceChange) => Promise<void>): Promise<SourceObjects> {
    this.goodTexts = new Map(await this.options.lastGood.load());
    for (const [path, text] of this.goodTexts) {
      const { objects } = readManifest(path, text);
      this.files.set(path, { stamp: 'recorded', text, objects, problems: [] });
    }
    this.directory.watch(() => void this.lookAgain(false).catch(this.options.onError));
    const change = await this.scans.run(() => this.rescan(true, true));
    this.listener = listener;
    return change?.kind === 'all' ? change.objects : NO_OBJECTS;
  }

  refresh(): Promise<void> {
    return this.lookAgain(true);
  }

  /** @param all looks at every file, not only at those that are said to have changed */
  private lookAgain(all: boolean): Promise<void> {
    if (this.queued !== undefined) {
      this.queued.all ||= all;
      return this.queued.done;
    }
    const queued = { all, done: Promise.resolve() };
    queued.done = this.scans.run(async () => {
      this.queued = undefined;
      const change = await this.rescan(false, queued.all);
      if (change === undefined) return;
      await this.listener?.(change);
      this.delivered = true;
      this.recordLater(RECORD_AFTER_MS);
    });
    this.queued = queued;
    return queued.done;
  }

  placeOf(object: ObjectRef): { readonly file: string; readonly line: number } | undefined {
    return this.objects.placeOf(object);
  }

  problems(): readonly Problem[] {
    return [...this.scanProblem, ...this.objects.problems];
  }

  async stop(): Promise<void> {
    this.listener = undefined;
    this.directory.close();
    if (this.stopRecording !== undefined) this.record();
    await this.scans.idle();
  }

  /** What changed; undefined if no file did. */
  private async rescan(first: boolean, all: boolean): Promise<SourceChange | undefined> {
    let scan: Scan;
    try {
      scan = await (all ? this.directory.scan() : this.directory.scanTouched());
      this.scanProblem = [];
    } catch (e) {
      if (first) throw e;
      // The directory may be on a mount that is away: what is known stays.
      const reason = `cannot be read, the last known state stays: ${e instanceof Error ? e.message : String(e)}`;
      this.scanProblem = [{ severity: 'error', file: this.location, line: null, object: null, reason }];
      this.toldProblems.update(this.problems());
      return undefined;
    }
    const changed = this.changedFiles(scan);
    for (const [path, file] of changed) {
      this.unrecorded.add(path);
      if (file === undefined) this.files.delete(path);
      else this.files.set(path, file);
    }
    const change: SourceChange | undefined =
      first || !this.delivered ? { kind: 'all', objects: this.objects.all(this.files) } : this.objects.change(changed);
    if (change === undefined) return undefined;
    this.delivered = first;
    if (first) await this.recordGoodTexts();
    this.toldProblems.update(this.problems());
    return change;
  }

  /** By path; undefined: gone. */
  private changedFiles(scan: Scan): ReadonlyMap<string, FileState | undefined> {
    const changed = new Map<string, FileState | undefined>();
    for (const content of scan.files) {
      const file = this.fileState(content);
      if (file !== this.files.get(content.path)) changed.set(content.path, file);
    }
    if (scan.kind === 'some') for (const path of scan.gone) changed.set(path, undefined);
    else {
      const present = new Set(scan.files.map((f) => f.path));
      for (const path of this.files.keys()) if (!present.has(path)) changed.set(path, undefined);
    }
    return changed;
  }

  private fileState({ path, stamp, text, error }: FileContent): FileState {
    const before = this.files.get(path);
    if (before?.stamp === stamp) return before;
    if (text === undefined) {
      const problem: Problem = {
        severity: 'error',
        file: path,
        line: null,
        object: null,
        reason: error ?? 'not readable',
      };
      return { stamp, text, objects: before?.objects ?? [], problems: [problem] };
    }
    const reading = readManifest(path, text);
    const defined = new Set(reading.objects.map((o) => objectKey(o.object)));
    const kept = (before?.objects ?? []).filter((o) => {
      const key = objectKey(o.object);
      return !defined.has(key) && (reading.brokenSomewhere || reading.broken.has(key));
    });
    return { stamp, text, objects: [...reading.objects, ...kept], problems: reading.problems };
  }

  private recordLater(ms: number): void {
    this.stopRecording ??= this.options.clock.after(ms, () => this.record());
  }

  private record(): void {
    this.stopRecording?.();
    this.stopRecording = undefined;
    this.scans
      .run(() => this.recordGoodTexts())
      .catch((error: unknown) => {
        this.options.onError(error);
        if (this.listener !== undefined) this.recordLater(RECORD_AGAIN_MS);
      });
  }

  private async recordGoodTexts(): Promise<void> {
    const paths = this.unrecorded;
    this.unrecorded = new Set();
    const changed = new Map<string, string>();
    const gone: string[] = [];
    for (const path of paths) {
      const file = this.files.get(path);
      const known = this.goodTexts.get(path);
      if (file === undefined) {
        if (known !== undefined) gone.push(path);
      } else if (file.text !== undefined && file.text !== known && !file.problems.some((p) => p.severity === 'error'))
        changed.set(path, file.text);
    }
    if (gone.length === 0 && changed.size === 0) return;
    try {
      await this.options.lastGood.save(changed, gone);
    } catch (error) {
      for (const path of paths) this.unrecorded.add(path);
      throw error;
    }
    for (const path of gone) this.goodTexts.delete(path);
    for (const [path, text] of changed) this.goodTexts.set(path, text);
  }
}
