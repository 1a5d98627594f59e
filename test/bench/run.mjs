// node test/bench/run.mjs NAME [arguments]: bundles test/bench/NAME.ts and runs it under the pinned Node. A benchmark prints one JSON object.
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const name = process.argv[2];
if (name === undefined || !/^[a-z-]+$/.test(name)) {
  console.error('usage: node test/bench/run.mjs NAME [arguments]');
  process.exit(2);
}
// Beside its source, so that paths relative to the file and packages resolve as they do from there.
const out = join(here, `.${name}.${process.pid}.mjs`);
const main = process.argv[1];
process.on('exit', () => rmSync(out, { force: true }));
await build({
  entryPoints: [join(here, `${name}.ts`)],
  outfile: out,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  conditions: ['source'],
  packages: 'external',
  logLevel: 'error',
});
process.argv.splice(1, 2, main);
await import(out);
