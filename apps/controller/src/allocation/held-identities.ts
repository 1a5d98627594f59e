import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Database } from '../persistence/database.js';
import { SettingRecord } from '../persistence/records.js';

const HeldIdentity = z.object({ namespace: z.string(), pod: z.string(), identityKey: z.string() });
/** A pod whose packets carry an earlier identity than its labels say. */
export type HeldIdentity = Readonly<z.output<typeof HeldIdentity>>;

/** Row of the settings. There are few at a time, and none for most of the time. */
const NAME = 'held-identities';

/**
 * Which identities are held, recorded: a controller that starts in the middle of a change must go on holding, or packets
 * would carry the new identity to switches that do not know it. Set at once in memory, durable when `flush` resolves;
 * whoever tells a switch of a change awaits `flush` first.
 */
export class HeldIdentities {
  private held: readonly HeldIdentity[] = [];
  private recorded: readonly HeldIdentity[] = [];

  constructor(private readonly database: Database) {}

  async load(): Promise<void> {
    const row = await this.database.read((tx) => tx.findOneBy(SettingRecord, { name: NAME }));
    this.recorded = this.held = row === null ? [] : z.array(HeldIdentity).parse(JSON.parse(row.value));
  }

  all(): readonly HeldIdentity[] {
    return this.held;
  }

  replace(held: readonly HeldIdentity[]): void {
    this.held = held;
  }

  /** What is held is what is recorded. */
  get isFlushed(): boolean {
    return isDeepStrictEqual(this.held, this.recorded);
  }

  async flush(): Promise<void> {
    const { held } = this;
    if (this.isFlushed) return;
    await this.database.transaction((tx) =>
      tx.upsert(SettingRecord, { name: NAME, value: JSON.stringify(held) }, ['name']),
    );
    this.recorded = held;
  }
}
