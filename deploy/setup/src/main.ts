import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { stayHome } from './home.js';
import { inCluster, secretStore } from './secrets.js';
import { setUp } from './setup.js';

const HELP = `heddle-setup: makes the certificates and the API token of a cluster, as Secrets, where they are missing or end soon;
then writes the controller's own files. Runs in a pod, before the controller; with --every also beside it, so that what ends is renewed while the controller runs.

  --out DIR       folder for tls.key, tls.crt, ca.crt and token
  --every HOURS   do it again and again, until a signal

Environment:
  HEDDLE_CONTROLLER_SERVICE_HOST  address of the Service heddle-controller (Kubernetes sets it)
  HEDDLE_TLS_NAMES                more names and addresses for the controller's certificate, comma separated
  HEDDLE_NODE_NAME, HEDDLE_DATABASE_URL  with both: refuses to start beside a database file that is on another node
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { out: { type: 'string' }, every: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.out === undefined) {
    process.stderr.write('heddle-setup: --out DIR is missing; see --help\n');
    return 2;
  }
  const { out, every } = values;
  const hours = every === undefined ? undefined : Number(every);
  if (hours !== undefined && !(hours > 0 && hours <= 500)) {
    process.stderr.write('heddle-setup: --every must be a number of hours, at most 500\n');
    return 2;
  }
  await once(out);
  // The first process of a container is ended by no signal that it does not handle.
  if (hours !== undefined) for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(0));
  while (hours !== undefined) {
    await sleep(hours * HOUR_MS);
    // What is there still serves, for months: a server that does not answer now will another time.
    await once(out).catch(complain);
  }
  return 0;
}

const HOUR_MS = 3_600_000;

async function once(out: string): Promise<void> {
  const { HEDDLE_CONTROLLER_SERVICE_HOST: address, HEDDLE_TLS_NAMES: more = '' } = process.env;
  if (!address)
    throw new Error(
      'HEDDLE_CONTROLLER_SERVICE_HOST is not set: the Service heddle-controller must exist before this pod',
    );
  const api = inCluster(process.env);
  const store = secretStore(api);
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const service = `heddle-controller.${api.namespace}`;
  const { HEDDLE_NODE_NAME: node = '', HEDDLE_DATABASE_URL: databaseUrl = '' } = process.env;
  if (node !== '') await stayHome({ store, node, databaseUrl, exists: existsSync, say });
  const files = await setUp({
    store,
    names: [
      ...[address, '127.0.0.1', '::1', 'localhost', 'heddle-controller', service, `${service}.svc`],
      ...more.split(',').map((name) => name.trim()),
    ].filter((name) => name !== ''),
    now: new Date(),
    say,
  });
  mkdirSync(out, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const file = join(out, name);
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
}

function complain(e: unknown): void {
  process.stderr.write(`heddle-setup: ${e instanceof Error ? e.message : String(e)}\n`);
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (e: unknown) => {
    complain(e);
    process.exitCode = 1;
  },
);
