import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseJson } from '../notation/json.js';
import { connectOvsdb } from '../session/dial.js';
import { startTestServer } from './index.js';

const folder = new URL('../../../../../shared/ovsdb/transcripts/', import.meta.url).pathname;
const present = existsSync(folder);
if (!present) console.log(`skipped: no transcripts in ${folder}`);

interface ExecutionCase {
  readonly title: string;
  readonly schema: string;
  readonly transactions: readonly (readonly [string, ...object[]])[];
  readonly expected: readonly unknown[];
}
interface Execution {
  readonly schemas: { readonly [name: string]: unknown };
  readonly cases: readonly ExecutionCase[];
}
const read = (name: string): unknown =>
  present ? parseJson(readFileSync(`${folder}/${name}`, 'utf8')) : { schemas: {}, cases: [] };

// UUIDs differ from run to run; only where the same one stands again is of interest.
function withoutUuids(value: unknown): unknown {
  const seen = new Map<string, string>();
  const sorted = (item: unknown): unknown =>
    Array.isArray(item)
      ? item.map(sorted)
      : typeof item === 'object' && item !== null
        ? Object.fromEntries(
            Object.entries(item)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([k, v]) => [k, sorted(v)]),
          )
        : item;
  const text = JSON.stringify(sorted(value)).replace(/<\d+>|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (uuid) => {
    const name = seen.get(uuid) ?? `<${seen.size}>`;
    seen.set(uuid, name);
    return name;
  });
  return JSON.parse(text);
}

describe.skipIf(!present)('transactions of the Open vSwitch tests', () => {
  const { schemas, cases } = read('ovsdb-execution.json') as Execution;
  test.each(cases.map((each) => [each.title, each] as const))(
    '%s',
    async (_title, { schema, transactions, expected }) => {
      const server = await startTestServer({ schemas: [schemas[schema]] });
      const client = connectOvsdb({ target: server.target });
      try {
        const actual: unknown[] = [];
        for (const params of transactions) actual.push(await client.request('transact', params));
        expect(withoutUuids(actual)).toEqual(withoutUuids(expected));
      } finally {
        await client.close();
        await server.close();
      }
    },
  );
});
