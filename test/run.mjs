// `make test`: lint, then every vitest project, one after the other (the last two use real switches and share the machine).
// At the end stand the slowest files, what failed, and the counts; the last line of output is "N passed, N failed".
// Exit code 0 only if something ran and nothing failed.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failuresText, readOutcome, slowestText } from './report.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules/.bin', name);
const reports = mkdtempSync(join(tmpdir(), 'heddle-test-'));
const LINT = {
  biome: [bin('biome'), 'check', '.'],
  'dependency-cruiser': [bin('depcruise'), 'libs', 'apps', 'migrations', '--config', '.dependency-cruiser.cjs'],
  // The build leaves specifications out, and vitest takes types away without looking at them.
  types: [process.execPath, join(root, 'node_modules/typescript7/bin/tsc'), '-p', 'test'],
};
const PROJECTS = ['unit', 'policy', 'kube', 'ovs', 'e2e'];
const STOP_GRACE_MS = 10_000;
const SAID_CHARACTERS = 1_500;

let running;
let interrupted = false;

/** Runs a program in a process group of its own, so that all of it can be ended. Gives its exit code and, if `keep`, the end of what it said. */
function run(argv, env = {}, keep = false) {
  return new Promise((resolve) => {
    const [file, ...args] = argv;
    // The pinned Node first, also for programs that start with "#!/usr/bin/env node".
    const path = `${join(root, 'node_modules/.bin')}:${process.env.PATH}`;
    const child = spawn(file, args, {
      cwd: root,
      stdio: keep ? ['inherit', 'pipe', 'pipe'] : 'inherit',
      detached: true,
      env: { ...process.env, PATH: path, ...env },
    });
    running = child;
    let said = '';
    for (const name of keep ? ['stdout', 'stderr'] : [])
      child[name].on('data', (part) => {
        process[name].write(part);
        said = `${said}${part}`.slice(-SAID_CHARACTERS);
      });
    child.on('error', (e) => {
      console.error(`${argv.join(' ')}: ${e.message}`);
      resolve({ code: 1, said: e.message });
    });
    child.on('close', (code) => {
      running = undefined;
      resolve({ code: code ?? 1, said });
    });
  });
}

function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (e) {
    if (e.code !== 'ESRCH') throw e; // the group has ended
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    interrupted = true;
    const child = running;
    if (child === undefined) return;
    signalGroup(child, 'SIGTERM');
    setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_GRACE_MS).unref();
  });

/** What the run wrote, if it came so far. */
function readReport(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (e) {
    if (e.code !== 'ENOENT') throw e;
    return undefined;
  }
}

const total = { passed: 0, failed: 0 };
const failures = [];
const counts = [];
const slowest = [];
const add = (name, outcome, seconds) => {
  const { passed, failed } = outcome;
  total.passed += passed;
  total.failed += failed;
  failures.push(...outcome.failures);
  counts.push(`${name.padEnd(6)} ${passed} passed, ${failed} failed, ${seconds.toFixed(0)} s`);
  if (outcome.files.length > 0) slowest.push(slowestText(name, outcome.files));
};

const only = process.argv.slice(2);
const wants = (name) => only.length === 0 || only.includes(name);
try {
  if (wants('lint')) {
    const start = performance.now();
    const results = [];
    for (const [test, argv] of Object.entries(LINT))
      results.push({ test, ...(interrupted ? { code: 1, said: 'interrupted' } : await run(argv, {}, true)) });
    const wrong = results
      .filter(({ code }) => code !== 0)
      .map(({ test, code, said }) => ({
        project: 'lint',
        file: '',
        test,
        message: `it ended with code ${code}\n${said}`,
      }));
    const passed = results.length - wrong.length;
    const outcome = { passed, failed: wrong.length, failures: wrong, files: [] };
    add('lint', outcome, (performance.now() - start) / 1000);
  }
  for (const project of PROJECTS) {
    if (interrupted || !wants(project)) continue;
    console.log(`\n== ${project}`);
    const report = join(reports, `${project}.json`);
    const start = performance.now();
    const reporters = ['--reporter=default', `--reporter=${join(root, 'test/reporter.ts')}`];
    const { code } = await run([bin('vitest'), 'run', '--project', project, ...reporters], {
      HEDDLE_TEST_OUTCOME: report,
      HEDDLE_TEST_FOLDER: reports,
    });
    const outcome = readOutcome(project, readReport(report), code);
    add(project, outcome, (performance.now() - start) / 1000);
  }
} finally {
  // What an interrupted or crashed run left of the tests' own lab.
  const { code: down } = await run([join(root, 'bin/heddle-lab'), 'down'], {
    HEDDLE_LAB_NAME: process.env.HEDDLE_E2E_LAB ?? 'e2e',
  });
  if (down !== 0) {
    total.failed += 1;
    failures.push({ project: 'e2e', file: '', test: 'heddle-lab down', message: `it ended with code ${down}` });
  }
  rmSync(reports, { recursive: true, force: true });
}
console.log(`\n${slowest.join('\n')}`);
if (failures.length > 0) console.log(`\n${failuresText(failures)}`);
console.log(`\n${counts.join('\n')}`);
if (interrupted) console.log('interrupted');
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(interrupted || total.failed > 0 || total.passed === 0 ? 1 : 0);
