import { Backoff } from '@heddle/api';
import type { Clock } from '../../clock.js';
import { KubeRefusal } from '../kube-client.js';
import { Pauses } from '../pauses.js';

export interface WriteQueueOptions {
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  /** Writes that may be made in a second, in the long run. */
  readonly perSecond: number;
  /** Writes that may follow each other at once. */
  readonly burst: number;
  /** Told of each failure; the write is tried again. */
  readonly onError: (key: string, error: unknown) => void;
}

/** Looks at how things stand now, and writes it if it must be written; undefined if nothing has to be. */
export type Attempt = () => Promise<void> | undefined;

export interface PutOptions {
  /** Waits at least so long, unless the key's turn comes earlier anyway. */
  readonly delayMs?: number;
  /** Goes before what is not. */
  readonly urgent?: boolean;
  /** What the server refuses is not tried again. */
  readonly once?: boolean;
}

type Lasting = Pick<PutOptions, 'urgent' | 'once'>;
interface Entry {
  readonly attempt: Attempt;
  readonly options: Lasting;
}

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 120_000;

/**
 * All writes to the API server, one after the other, at a bounded rate. A key stands for an object: what is put for it before
 * its turn comes replaces what was there, and is decided when the turn comes, so a thousand changes are one write. A write
 * that fails waits longer each time; if the server does not answer at all, everything waits.
 */
export class WriteQueue {
  /** What must not wait for the rest, and the rest. */
  private readonly urgent = new Map<string, Entry>();
  private readonly ready = new Map<string, Entry>();
  private readonly waiting = new Map<string, { readonly stop: () => void }>();
  private readonly failing = new Map<string, Backoff>();
  private readonly away: Backoff;
  private tokens: number;
  private refilledAt: number;
  private working: Promise<void> | undefined;
  private readonly pauses: Pauses;
  private stopped = false;
  /** How often everything was forgotten. */
  private cleared = 0;

  constructor(private readonly options: WriteQueueOptions) {
    this.tokens = options.burst;
    this.refilledAt = options.clock.now();
    this.away = this.newBackoff();
    this.pauses = new Pauses(options.clock);
  }

  put(key: string, attempt: Attempt, { delayMs = 0, ...options }: PutOptions = {}): void {
    if (this.stopped) return;
    const queue = options.urgent ? this.urgent : this.ready;
    this.waiting.get(key)?.stop();
    this.waiting.delete(key);
    if (queue.has(key) || delayMs <= 0) {
      queue.set(key, { attempt, options });
      this.working ??= this.work();
      return;
    }
    const stop = this.options.clock.after(delayMs, () => {
      this.waiting.delete(key);
      this.put(key, attempt, options);
    });
    this.waiting.set(key, { stop });
  }

  /** Forgets everything that was not begun; what is being written is not tried again. */
  clear(): void {
    this.cleared++;
    this.failing.clear();
    for (const { stop } of this.waiting.values()) stop();
    this.waiting.clear();
    this.ready.clear();
    this.urgent.clear();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.clear();
    this.pauses.end();
    await this.working;
  }

  private async work(): Promise<void> {
    // Whoever puts several things at once has put them all.
    await new Promise((done) => setImmediate(done));
    while (!this.stopped) {
      const queue = this.urgent.size > 0 ? this.urgent : this.ready;
      const next = queue.entries().next();
      if (next.done === true) break;
      const wait = this.untilToken();
      if (wait > 0) {
        await this.pauses.wait(wait);
        continue;
      }
      const [key, entry] = next.value;
      queue.delete(key);
      await this.attempt(key, entry);
    }
    this.working = undefined;
  }

  private async attempt(key: string, { attempt, options }: Entry): Promise<void> {
    const writing = attempt();
    if (writing === undefined) {
      this.failing.delete(key);
      return;
    }
    this.tokens--;
    const { cleared } = this;
    try {
      await writing;
      this.failing.delete(key);
      this.away.reset();
    } catch (e) {
      if (this.stopped) return;
      this.options.onError(key, e);
      const refused = e instanceof KubeRefusal && e.status !== 429 && e.status < 500;
      if (cleared === this.cleared && !(refused && options.once)) this.again(key, { attempt, options });
      else this.failing.delete(key);
      if (refused) this.away.reset();
      else await this.pauses.wait(Math.max(this.away.next(), e instanceof KubeRefusal ? (e.retryAfterMs ?? 0) : 0));
    }
  }

  private again(key: string, { attempt, options }: Entry): void {
    const backoff = this.failing.get(key) ?? this.newBackoff();
    this.failing.set(key, backoff);
    const delayMs = backoff.next();
    // What was put meanwhile is newer.
    if (!this.urgent.has(key) && !this.ready.has(key) && !this.waiting.has(key))
      this.put(key, attempt, { ...options, delayMs });
  }

  private untilToken(): number {
    const { clock, perSecond, burst } = this.options;
    const now = clock.now();
    this.tokens = Math.min(burst, this.tokens + ((now - this.refilledAt) * perSecond) / 1_000);
    this.refilledAt = now;
    return this.tokens >= 1 ? 0 : ((1 - this.tokens) * 1_000) / perSecond;
  }

  private newBackoff(): Backoff {
    return new Backoff({ firstMs: FIRST_RETRY_MS, maxMs: MAX_RETRY_MS, random: this.options.random });
  }
}
