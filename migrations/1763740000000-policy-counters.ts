import { type MigrationInterface, type QueryRunner, Table } from 'typeorm';

const TABLES: readonly Table[] = [
  new Table({
    name: 'policy_counter',
    columns: [
      // SHA-256 of the object, whose text may be too long for an index.
      { name: 'digest', type: 'text', isPrimary: true },
      { name: 'object', type: 'text' },
      { name: 'packets', type: 'bigint' },
      { name: 'bytes', type: 'bigint' },
      { name: 'since', type: 'bigint' },
    ],
  }),
  new Table({
    name: 'counted_switch',
    columns: [
      { name: 'node', type: 'text', isPrimary: true },
      { name: 'version', type: 'text' },
      { name: 'flows', type: 'text' },
    ],
  }),
];

/** What rules of policies have counted, and how much of what switches count is in it. */
export class PolicyCounters1763740000000 implements MigrationInterface {
  readonly name = 'PolicyCounters1763740000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) await runner.createTable(table);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [...TABLES].reverse()) await runner.dropTable(table.name);
  }
}
