import { createHash } from 'node:crypto';
import { In } from 'typeorm';
import type { Database } from '../persistence/database.js';
import { CountedSwitchRecord, PolicyCounterRecord } from '../persistence/records.js';
import type { Accumulator, Count } from './accumulator.js';

/** SQLite allows 32766 values in one statement. */
const ROWS_PER_STATEMENT = 500;

/** Totals and baselines in the database. They are written together, so that nothing is counted twice or not at all. */
export class CounterStore {
  constructor(private readonly database: Database) {}

  async load(accumulator: Accumulator): Promise<void> {
    const [totals, switches] = await this.database.read(async (tx) => [
      await tx.find(PolicyCounterRecord),
      await tx.find(CountedSwitchRecord),
    ]);
    for (const { object, packets, bytes, since } of totals) accumulator.totals.set(object, { packets, bytes, since });
    for (const { node, version, flows } of switches) {
      const counts = Object.entries(flows).map(([key, [packets, bytes]]): [string, Count] => [key, { packets, bytes }]);
      accumulator.baselines.set(node, { version, flows: new Map(counts) });
    }
  }

  /** Writes what has changed; what cannot be written stays changed. */
  async save({ totals, baselines, changed }: Accumulator): Promise<void> {
    const [objects, nodes] = [[...changed.totals], [...changed.nodes]];
    if (objects.length === 0 && nodes.length === 0) return;
    // Taken now: what is counted while it is written is for the next time.
    const rows = objects.flatMap((object) => {
      const total = totals.get(object);
      return total === undefined ? [] : [{ digest: digestOf(object), object, ...total }];
    });
    const switches = nodes.flatMap((node) => {
      const baseline = baselines.get(node);
      if (baseline === undefined) return [];
      const flows = [...baseline.flows].map(([key, c]): [string, [number, number]] => [key, [c.packets, c.bytes]]);
      return [{ node, version: baseline.version, flows: Object.fromEntries(flows) }];
    });
    const gone = nodes.filter((node) => !baselines.has(node));
    changed.totals.clear();
    changed.nodes.clear();
    try {
      await this.database.transaction(async (tx) => {
        for (let i = 0; i < rows.length; i += ROWS_PER_STATEMENT)
          await tx.upsert(PolicyCounterRecord, rows.slice(i, i + ROWS_PER_STATEMENT), ['digest']);
        for (const row of switches) await tx.upsert(CountedSwitchRecord, row, ['node']);
        if (gone.length > 0) await tx.delete(CountedSwitchRecord, { node: In(gone) });
      });
    } catch (error) {
      for (const object of objects) changed.totals.add(object);
      for (const node of nodes) changed.nodes.add(node);
      throw error;
    }
  }

  /** Forgets totals that nobody asks for any more. */
  async remove(objects: readonly string[]): Promise<void> {
    if (objects.length === 0) return;
    await this.database.transaction(async (tx) => {
      for (let i = 0; i < objects.length; i += ROWS_PER_STATEMENT)
        await tx.delete(PolicyCounterRecord, {
          digest: In(objects.slice(i, i + ROWS_PER_STATEMENT).map(digestOf)),
        });
    });
  }
}

const digestOf = (object: string): string => createHash('sha256').update(object).digest('hex');
