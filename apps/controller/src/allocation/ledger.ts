import { createHash } from 'node:crypto';
import { FIRST_POD_IDENTITY, GROUP_IDS, type IdKind, type IdSource } from '@heddle/compiler';
import { Refusal } from '../errors.js';
import type { Database } from '../persistence/database.js';
import { LedgerRecord } from '../persistence/records.js';
import { Serial } from '../serial.js';

/** First and last number of each kind. A group's number is the low part of its OpenFlow group id. */
const LIMITS: Readonly<Record<IdKind, { readonly first: number; readonly last: number }>> = {
  identity: { first: FIRST_POD_IDENTITY, last: 0xffff_ffff },
  group: { first: 1, last: GROUP_IDS.max - GROUP_IDS.min },
  conjunction: { first: 1, last: 0xffff_ffff },
  object: { first: 1, last: 0xffff_ffff },
};
interface Kind {
  readonly numbers: Map<string, number>;
  last: number;
  /** Keys in the order of their numbers, from the first time that somebody asks for one. */
  keys: string[] | undefined;
}

/** SQLite allows 32766 values in one statement. */
const ROWS_PER_INSERT = 1_000;

/**
 * Recorded numbers: given at once from memory, durable when `flush` resolves. Entries are never removed, so a number means
 * one thing for ever; whoever lets a switch act on a number awaits `flush` first.
 */
export class Ledger implements IdSource {
  private readonly kinds = new Map<IdKind, Kind>();
  private pending: LedgerRecord[] = [];
  private readonly flushes = new Serial();

  constructor(private readonly database: Database) {}

  async load(): Promise<void> {
    const rows = await this.database.read((tx) => tx.find(LedgerRecord));
    for (const row of rows) {
      const kind = this.kind(row.kind as IdKind);
      kind.numbers.set(row.key, row.number);
      kind.last = Math.max(kind.last, row.number);
    }
  }

  /** @throws Refusal pool_exhausted */
  number(kind: IdKind, key: string): number {
    const known = this.kind(kind);
    const existing = known.numbers.get(key);
    if (existing !== undefined) return existing;
    const number = known.last + 1;
    if (number > LIMITS[kind].last) throw new Refusal('pool_exhausted', `no ${kind} number is left`);
    known.last = number;
    known.numbers.set(key, number);
    if (known.keys !== undefined) known.keys[number - LIMITS[kind].first] = key;
    this.pending.push({ kind, key, digest: createHash('sha256').update(key).digest('hex'), number });
    return number;
  }

  /** The key that a number was given to. The first question goes through all entries of the kind. */
  keyOf(kind: IdKind, number: number): string | undefined {
    const known = this.kind(kind);
    if (known.keys === undefined) {
      known.keys = [];
      for (const [key, n] of known.numbers) known.keys[n - LIMITS[kind].first] = key;
    }
    return known.keys[number - LIMITS[kind].first];
  }

  /** How many keys of a kind are recorded. */
  count(kind: IdKind): number {
    return this.kind(kind).numbers.size;
  }

  /** Every number that was given is in the database. */
  get isFlushed(): boolean {
    return this.pending.length === 0;
  }

  /**
   * Resolves when every number given before the call is in the database. A failed write rejects and is tried again by the
   * next call: the numbers stay pending, and no switch hears of them meanwhile.
   */
  flush(): Promise<void> {
    return this.flushes.run(async () => {
      const rows = [...this.pending];
      if (rows.length === 0) return;
      await this.database.transaction(async (tx) => {
        for (let i = 0; i < rows.length; i += ROWS_PER_INSERT)
          await tx.insert(LedgerRecord, rows.slice(i, i + ROWS_PER_INSERT));
      });
      // Numbers given while the transaction ran were pushed behind those that it wrote.
      this.pending = this.pending.slice(rows.length);
    });
  }

  private kind(kind: IdKind): Kind {
    let known = this.kinds.get(kind);
    if (known === undefined) {
      known = { numbers: new Map(), last: LIMITS[kind].first - 1, keys: undefined };
      this.kinds.set(kind, known);
    }
    return known;
  }
}
