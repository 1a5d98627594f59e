import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectOvsdb } from 'ovsdb-client';
import { describe, expect, test } from 'vitest';
import { hasOvs, OvsSandbox } from './ovsdb-sandbox.js';

const file = new URL('../../../shared/ovsdb/transcripts/ovsdb-execution.json', import.meta.url).pathname;
const present = hasOvs && existsSync(file);
if (!present) console.log(`skipped: Open vSwitch or ${file} is absent`);

interface Case {
  readonly title: string;
  readonly schema: string;
  readonly transactions: readonly (readonly unknown[])[];
  readonly expected: readonly unknown[];
  readonly replayed_ovs_3_1_0: boolean;
}
interface Transcript {
  readonly schemas: { readonly [name: string]: { readonly name: string } };
  readonly cases: readonly Case[];
}

// UUIDs differ from run to run, and the wording of details from release to release.
function comparable(value: unknown): unknown {
  const text = JSON.stringify(value, (key, item) => (key === 'details' ? undefined : item));
  return JSON.parse(text.replace(/<\d+>|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<>'));
}

describe.skipIf(!present)('transactions of the Open vSwitch tests, sent to ovsdb-server', () => {
  const { schemas, cases }: Transcript = present ? JSON.parse(readFileSync(file, 'utf8')) : { schemas: {}, cases: [] };
  const replayable = cases.filter((each) => each.replayed_ovs_3_1_0);
  test.each(replayable.map((each) => [each.title, each] as const))(
    '%s',
    async (_title, { schema, transactions, expected }) => {
      const sandbox = new OvsSandbox();
      const schemaFile = join(sandbox.dir, 'case.ovsschema');
      writeFileSync(schemaFile, JSON.stringify(schemas[schema]));
      sandbox.startServer(schemaFile);
      const client = connectOvsdb({ target: sandbox.target });
      try {
        const actual: unknown[] = [];
        for (const params of transactions) actual.push(await client.request('transact', params));
        expect(comparable(actual)).toEqual(comparable(expected));
      } finally {
        await client.close();
        await sandbox.close();
      }
    },
  );
});
