import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { dataSourceOptions } from './database.js';

it('the migrations make the schema that the records describe, and take it back', async () => {
  const source = await new DataSource(dataSourceOptions('sqlite::memory:')).initialize();
  await source.runMigrations({ transaction: 'all' });
  const columns = async () => {
    const rows: { table: string; name: string; type: string; notnull: number; pk: number }[] = await source.query(
      `SELECT m.name AS "table", c.name, lower(c.type) AS type, c."notnull", c.pk > 0 AS pk
       FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1, 2`,
    );
    return rows.filter((r) => r.table !== 'migration' && !r.table.startsWith('sqlite_'));
  };
  const expected = source.entityMetadatas
    .flatMap((e) =>
      e.columns.map((c) => ({
        table: e.tableName,
        name: c.databaseName,
        type: String(c.type),
        notnull: c.isNullable ? 0 : 1,
        pk: c.isPrimary ? 1 : 0,
      })),
    )
    .sort((a, b) => (`${a.table} ${a.name}` < `${b.table} ${b.name}` ? -1 : 1));
  expect(await columns()).toEqual(expected);
  for (const _ of source.migrations) await source.undoLastMigration();
  expect(await columns()).toEqual([]);
  await source.destroy();
});
