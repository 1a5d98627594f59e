import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stayHome } from './home.js';
import { inCluster, secretStore } from './secrets.js';
import { setUp } from './setup.js';

const HELP = `heddle-setup: makes the certificates and the API token of a cluster, as Secrets, where they are missing or end soon;
then writes the controller's own files. Runs in a pod, before the controller.

  --out DIR   folder for tls.key, tls.crt, ca.crt and token

Environment:
  HEDDLE_CONTROLLER_SERVICE_HOST  address of the Service heddle-controller (Kubernetes sets it)
  HEDDLE_TLS_NAMES                more names and addresses for the controller's certificate, comma separated
  HEDDLE_NODE_NAME, HEDDLE_DATABASE_URL  with both: refuses to start beside a database file that is on another node
`;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { out: { type: 'string' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.out === undefined) {
    process.stderr.write('heddle-setup: --out DIR is missing; see --help\n');
    return 2;
  }
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
  mkdirSync(values.out, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const file = join(values.out, name);
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  return 0;
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (e: unknown) => {
    process.stderr.write(`heddle-setup: ${e instanceof Error ? e.message : String(e)}\n`);
    process.exitCode = 1;
  },
);
