import { type MigrationInterface, type QueryRunner, Table } from 'typeorm';

/** Addresses that names of policies were seen to have, and until when (milliseconds since 1970) that counts. */
const DOMAIN_ADDRESS = new Table({
  name: 'domain_address',
  columns: [
    { name: 'name', type: 'text', isPrimary: true },
    { name: 'address', type: 'text', isPrimary: true },
    { name: 'expires', type: 'bigint' },
  ],
});

export class DomainAddresses1763730000000 implements MigrationInterface {
  readonly name = 'DomainAddresses1763730000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(DOMAIN_ADDRESS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable(DOMAIN_ADDRESS.name);
  }
}
