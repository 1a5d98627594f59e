import { ip } from '@heddle/compiler';
import { In } from 'typeorm';
import type { Database } from '../persistence/database.js';
import { DomainAddressRecord } from '../persistence/records.js';
import type { DomainAddress } from './domain-book.js';

const BATCH = 500;

/** Addresses of names in the database. */
export class DomainRecords {
  constructor(private readonly database: Database) {}

  async load(): Promise<readonly DomainAddress[]> {
    const rows = await this.database.read((tx) => tx.find(DomainAddressRecord));
    return rows.map((r) => ({ name: r.name, address: ip(r.address), expires: r.expires }));
  }

  /** Makes the rows of each name those given. */
  async replace(names: ReadonlyMap<string, readonly DomainAddress[]>): Promise<void> {
    if (names.size === 0) return;
    await this.database.transaction(async (tx) => {
      const keys = [...names.keys()];
      const rows = [...names.values()].flat();
      for (let i = 0; i < keys.length; i += BATCH)
        await tx.delete(DomainAddressRecord, { name: In(keys.slice(i, i + BATCH)) });
      for (let i = 0; i < rows.length; i += BATCH) await tx.insert(DomainAddressRecord, rows.slice(i, i + BATCH));
    });
  }
}
