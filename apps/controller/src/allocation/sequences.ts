import type { Database, Transaction } from '../persistence/database.js';
import { SequenceRecord } from '../persistence/records.js';

/** Counters that never go back: port keys, node keys, releases, the generation of the node set. */
export type SequenceName = 'node' | 'port' | 'block' | 'release' | 'node-set';

/**
 * Values are read once; a step is written in the transaction of what uses it. A transaction that fails leaves a gap, never a
 * value given twice.
 */
export class Sequences {
  private readonly last = new Map<string, number>();

  async load(database: Database): Promise<void> {
    const rows = await database.read((tx) => tx.find(SequenceRecord));
    for (const row of rows) this.last.set(row.name, row.last);
  }

  current(name: SequenceName): number {
    return this.last.get(name) ?? 0;
  }

  /** The next values; answers the first of them. */
  async take(tx: Transaction, name: SequenceName, count: number): Promise<number> {
    const first = this.current(name) + 1;
    const last = first + count - 1;
    this.last.set(name, last);
    await tx.upsert(SequenceRecord, { name, last }, ['name']);
    return first;
  }
}
