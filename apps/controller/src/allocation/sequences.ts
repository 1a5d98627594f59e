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

  async next(tx: Transaction, name: SequenceName): Promise<number> {
    const value = this.current(name) + 1;
    this.last.set(name, value);
    await tx.upsert(SequenceRecord, { name, last: value }, ['name']);
    return value;
  }
}
