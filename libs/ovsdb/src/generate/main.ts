import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseJson } from '../notation/json.js';
import { parseDatabaseSchema } from '../schema/parse.js';
import { emitSchema, emitTypes } from './emit.js';

const USAGE = `usage: ovsdb-generate SCHEMA [--out FILE] [--import MODULE] [--schema]
Writes TypeScript types for an OVSDB schema file (.ovsschema). MODULE is what the types import from, "ovsdb-client"
unless told. With --schema, writes the schema itself as a constant.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    import: { type: 'string' },
    internal: { type: 'boolean' },
    schema: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
const file = positionals[0];
if (values.help === true || file === undefined) {
  (values.help === true ? process.stdout : process.stderr).write(USAGE);
  process.exitCode = values.help === true ? 0 : 2;
} else {
  const from = values.import ?? 'ovsdb-client';
  // Inside this package the generated file must not import the index, which imports it.
  const modules =
    values.internal === true
      ? { uuid: '../notation/uuid.js', define: '../model/tables.js' }
      : { uuid: from, define: from };
  const schema = parseDatabaseSchema(parseJson(readFileSync(file, 'utf8')));
  const text = values.schema === true ? emitSchema(schema) : emitTypes(schema, modules);
  if (values.out === undefined) process.stdout.write(text);
  else writeFileSync(values.out, text);
}
