import { In } from 'typeorm';
import type { LastGoodTexts } from '../source/manifests/manifests-source.js';
import type { Database } from './database.js';
import { SourceFileRecord } from './records.js';

/** The last good texts of manifests, in the database. */
export class SourceTexts implements LastGoodTexts {
  constructor(private readonly database: Database) {}

  async load(): Promise<ReadonlyMap<string, string>> {
    const rows = await this.database.read((tx) => tx.find(SourceFileRecord, { order: { path: 'ASC' } }));
    return new Map(rows.map((r) => [r.path, r.text]));
  }

  async save(changed: ReadonlyMap<string, string>, gone: readonly string[]): Promise<void> {
    await this.database.transaction(async (tx) => {
      for (let i = 0; i < gone.length; i += 500)
        await tx.delete(SourceFileRecord, { path: In(gone.slice(i, i + 500)) });
      const rows = [...changed].map(([path, text]) => ({ path, text }));
      for (let i = 0; i < rows.length; i += 500) await tx.upsert(SourceFileRecord, rows.slice(i, i + 500), ['path']);
    });
  }
}
