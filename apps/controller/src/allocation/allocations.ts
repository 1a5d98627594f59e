import type { Cidr, Family } from '@heddle/compiler';
import type { Database } from '../persistence/database.js';
import { SettingRecord } from '../persistence/records.js';
import { Attachments } from './attachments.js';
import { BlockPool } from './block-pool.js';
import { HeldIdentities } from './held-identities.js';
import { Ledger } from './ledger.js';
import { NodeRegistry } from './node-registry.js';
import { Sequences } from './sequences.js';
import { ServiceAddresses } from './service-addresses.js';

export interface AllocationsOptions {
  readonly clusterCidrs: readonly Cidr[];
  readonly serviceCidrs: readonly Cidr[];
  readonly families: readonly Family[];
  /** Canonical text of every setting that node agents are told. */
  readonly networkSettings: string;
}

/** Everything that was ever given out, read from the database. The database is the truth; memory is a copy of it. */
export class Allocations {
  private constructor(
    readonly sequences: Sequences,
    readonly ledger: Ledger,
    readonly nodes: NodeRegistry,
    readonly attachments: Attachments,
    readonly serviceAddresses: ServiceAddresses,
    readonly heldIdentities: HeldIdentities,
  ) {}

  /** All that switches may hear of is in the database. */
  get isFlushed(): boolean {
    return this.ledger.isFlushed && this.heldIdentities.isFlushed;
  }

  /** Resolves when it is so. */
  async flush(): Promise<void> {
    await this.ledger.flush();
    await this.heldIdentities.flush();
  }

  /** @throws Refusal conflict if what is recorded does not fit the configuration */
  static async load(database: Database, options: AllocationsOptions): Promise<Allocations> {
    const { families } = options;
    const sequences = new Sequences();
    const pool = new BlockPool(options.clusterCidrs);
    const nodes = new NodeRegistry({ database, sequences, pool, families });
    const attachments = new Attachments({ database, sequences, pool, nodes, families });
    const ledger = new Ledger(database);
    const serviceAddresses = new ServiceAddresses(database, sequences, options.serviceCidrs);
    const heldIdentities = new HeldIdentities(database);
    await sequences.load(database);
    await nodes.load();
    await attachments.load();
    await serviceAddresses.load();
    await ledger.load();
    await heldIdentities.load();
    await noteSettings(database, sequences, options.networkSettings);
    return new Allocations(sequences, ledger, nodes, attachments, serviceAddresses, heldIdentities);
  }
}

/** Agents wait for a new generation of the node set; other settings than before are one. */
async function noteSettings(database: Database, sequences: Sequences, value: string): Promise<void> {
  const name = 'network';
  const before = await database.read((tx) => tx.findOneBy(SettingRecord, { name }));
  if (before?.value === value) return;
  await database.transaction(async (tx) => {
    await tx.upsert(SettingRecord, { name, value }, ['name']);
    await sequences.take(tx, 'node-set', 1);
  });
}
