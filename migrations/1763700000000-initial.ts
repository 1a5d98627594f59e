import { type MigrationInterface, type QueryRunner, Table, type TableColumnOptions } from 'typeorm';

/** Fields that several tables share. 64-bit integers, because PostgreSQL's `integer` ends at 2^31. */
const text = (name: string, extra: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
  name,
  type: 'text',
  ...extra,
});
const bigint = (name: string, extra: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
  name,
  type: 'bigint',
  ...extra,
});
const integer = (name: string, extra: Partial<TableColumnOptions> = {}): TableColumnOptions => ({
  name,
  type: 'integer',
  ...extra,
});
const key = { isPrimary: true } as const;
const optional = { isNullable: true } as const;

/** The tables of the first release, the same on SQLite and PostgreSQL. */
const TABLES: readonly Table[] = [
  // Counters that only grow, so that a number is never given twice even after what it named is gone.
  new Table({ name: 'sequence', columns: [text('name', key), bigint('last')] }),
  new Table({ name: 'setting', columns: [text('name', key), text('value')] }),
  new Table({
    name: 'ledger_entry',
    // The digest is the key's SHA-256: keys may be longer than what PostgreSQL puts into an index (2704 bytes).
    columns: [text('kind', key), text('digest', key), text('key'), bigint('number')],
    uniques: [{ name: 'ledger_entry_number', columnNames: ['kind', 'number'] }],
  }),
  new Table({
    name: 'node',
    columns: [
      text('name', key),
      bigint('key', { isUnique: true }),
      text('datapath_id', { isUnique: true }),
      text('encap_ip'),
      text('addresses'),
      integer('underlay_mtu'),
      text('datapath_type'),
      text('gateway_mac'),
      text('gateway_ips'),
      integer('last_ofport'),
    ],
  }),
  new Table({
    name: 'block',
    columns: [bigint('vpc', key), text('cidr', key), integer('family'), text('node'), bigint('given')],
    indices: [{ name: 'block_node', columnNames: ['node'] }],
    foreignKeys: [
      { name: 'block_node_fk', columnNames: ['node'], referencedTableName: 'node', referencedColumnNames: ['name'] },
    ],
  }),
  new Table({
    name: 'attachment',
    columns: [
      bigint('port_key', key),
      text('node'),
      text('container_id'),
      text('ifname'),
      text('namespace'),
      text('pod'),
      text('pod_uid', optional),
      integer('ofport'),
      text('mac'),
      bigint('vpc'),
    ],
    uniques: [
      { name: 'attachment_container', columnNames: ['container_id', 'ifname'] },
      { name: 'attachment_ofport', columnNames: ['node', 'ofport'] },
      { name: 'attachment_pod', columnNames: ['namespace', 'pod'] },
    ],
    foreignKeys: [
      {
        name: 'attachment_node_fk',
        columnNames: ['node'],
        referencedTableName: 'node',
        referencedColumnNames: ['name'],
      },
    ],
  }),
  new Table({
    name: 'address',
    // A row without a port is a released address; `released` orders them, the oldest is used again first.
    columns: [
      bigint('vpc', key),
      text('address', key),
      integer('family'),
      text('block'),
      bigint('port_key', optional),
      bigint('released', optional),
    ],
    indices: [{ name: 'address_port', columnNames: ['port_key'] }],
    foreignKeys: [
      {
        name: 'address_port_fk',
        columnNames: ['port_key'],
        referencedTableName: 'attachment',
        referencedColumnNames: ['port_key'],
      },
      {
        name: 'address_block_fk',
        columnNames: ['vpc', 'block'],
        referencedTableName: 'block',
        referencedColumnNames: ['vpc', 'cidr'],
      },
    ],
  }),
  new Table({
    name: 'service_address',
    columns: [
      text('address', key),
      integer('family'),
      text('namespace'),
      text('service'),
      // As in `address`.
      bigint('released', optional),
    ],
  }),
  new Table({
    name: 'source_file',
    // The last text of a manifest that was understood as a whole.
    columns: [text('path', key), text('text')],
  }),
];

export class Initial1763700000000 implements MigrationInterface {
  readonly name = 'Initial1763700000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) await runner.createTable(table);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [...TABLES].reverse()) await runner.dropTable(table.name);
  }
}
