import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates } from '../certificates.ts';
import { freePort } from '../ports.ts';
import type { ApiHandle } from './kube-api.ts';
import { kubeconfigText } from './kubeconfig.ts';

/** A real API server as far as it can do what the small one does. */
export interface RealKubeApi extends ApiHandle {
  /** Makes everything that was read before too old: compacts etcd and starts the API server anew, whose watch cache begins there. */
  expire(): Promise<void>;
  /** Where the output of both programs is. */
  readonly logs: { readonly apiserver: string; readonly etcd: string };
}

export interface RealKubeApiOptions {
  /** Groups of users by name; each gets a token. `admin` of system:masters is always there; RBAC is on. */
  readonly users?: Readonly<Record<string, readonly string[]>>;
  readonly serviceCidrs?: readonly string[];
  /** Further arguments of kube-apiserver. */
  readonly args?: readonly string[];
}

const START_MS = 120_000;
const STOP_MS = 10_000;

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not for us: it is looked for elsewhere
  }
};

/** A program of Kubernetes in $KUBEBUILDER_ASSETS, /usr/local/kubebuilder/bin or PATH, as envtest looks for it. */
export function findKubeProgram(name: string): string | undefined {
  const assets = process.env.KUBEBUILDER_ASSETS;
  const dirs = [
    ...(assets === undefined ? [] : [assets]),
    '/usr/local/kubebuilder/bin',
    ...(process.env.PATH ?? '').split(':'),
  ];
  return dirs.map((dir) => join(dir, name)).find(isExecutable);
}

/** Why there is no real API server here; undefined if there is one. */
export function whyNoRealKubeApi(): string | undefined {
  const missing = ['kube-apiserver', 'etcd'].filter((name) => findKubeProgram(name) === undefined);
  return missing.length === 0 ? undefined : `no ${missing.join(', no ')}`;
}

/** A program that ends with this process. */
class Program {
  private child: ChildProcess | undefined;
  private readonly file: string;
  private readonly args: readonly string[];
  private readonly log: string;
  private readonly onExit = () => this.child?.kill('SIGKILL');

  constructor(file: string, args: readonly string[], log: string) {
    this.file = file;
    this.args = args;
    this.log = log;
  }

  start(): void {
    const out = openSync(this.log, 'a');
    this.child = spawn(this.file, this.args, { stdio: ['ignore', out, out] });
    closeSync(out);
    process.once('exit', this.onExit);
  }

  /** @throws Error with the end of its log if it has ended */
  mustRun(): void {
    if (this.child?.exitCode === null && this.child.signalCode === null) return;
    throw new Error(`${this.file} has ended:\n${readFileSync(this.log, 'utf8').slice(-2000)}`);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { child } = this;
    this.child = undefined;
    process.removeListener('exit', this.onExit);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
  }
}

/** The status of a GET; 0 if nobody answers. */
function statusOf(url: string, authority: string, token: string): Promise<number> {
  return new Promise((resolve) => {
    const asked = request(url, { ca: authority, headers: { authorization: `Bearer ${token}` } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.once('error', () => resolve(0));
    asked.end();
  });
}

/** Starts etcd and kube-apiserver in a folder of their own. @throws Error if they are not found or do not start */
export async function startRealKubeApi(options: RealKubeApiOptions = {}): Promise<RealKubeApi> {
  const [etcdFile, apiserverFile] = [findKubeProgram('etcd'), findKubeProgram('kube-apiserver')];
  if (etcdFile === undefined || apiserverFile === undefined) throw new Error(whyNoRealKubeApi());
  const dir = await mkdtemp(join(tmpdir(), 'heddle-kube-api-'));
  const certificates = makeCertificates(['apiserver', 'service-accounts']);
  const identity = certificates.identity('apiserver');
  const accounts = certificates.identity('service-accounts');
  const authority = readFileSync(identity.ca, 'utf8');
  const users = { admin: ['system:masters'], ...options.users };
  const tokens = new Map(Object.keys(users).map((name) => [name, randomBytes(16).toString('hex')]));
  const rows = Object.entries(users).map(
    ([name, groups]) => `${tokens.get(name)},${name},${name},"${groups.join(',')}"`,
  );
  await writeFile(join(dir, 'tokens.csv'), `${rows.join('\n')}\n`, { mode: 0o600 });
  const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const url = `https://127.0.0.1:${port}`;
  const logs = { apiserver: join(dir, 'apiserver.log'), etcd: join(dir, 'etcd.log') };
  const etcd = new Program(
    etcdFile,
    [
      ...[`--data-dir=${join(dir, 'etcd')}`, '--unsafe-no-fsync', '--log-level=warn', '--name=default'],
      ...[`--listen-client-urls=${etcdUrl}`, `--advertise-client-urls=${etcdUrl}`],
      ...[
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=default=${peerUrl}`,
      ],
    ],
    logs.etcd,
  );
  const apiserver = new Program(
    apiserverFile,
    [
      ...[
        `--etcd-servers=${etcdUrl}`,
        '--bind-address=127.0.0.1',
        `--secure-port=${port}`,
        '--advertise-address=127.0.0.1',
      ],
      ...[`--cert-dir=${dir}`, `--tls-cert-file=${identity.cert}`, `--tls-private-key-file=${identity.key}`],
      ...['--anonymous-auth=false', `--token-auth-file=${join(dir, 'tokens.csv')}`, '--authorization-mode=RBAC'],
      ...['--service-account-issuer=https://kubernetes.default.svc', `--service-account-key-file=${accounts.cert}`],
      ...[`--service-account-signing-key-file=${accounts.key}`, '--allow-privileged=true'],
      `--service-cluster-ip-range=${(options.serviceCidrs ?? ['10.96.0.0/16', 'fd00:10:96::/112']).join(',')}`,
      // No controller manager makes the service accounts that this plugin asks for.
      '--disable-admission-plugins=ServiceAccount',
      ...(options.args ?? []),
    ],
    logs.apiserver,
  );
  const ready = async (): Promise<void> => {
    const end = Date.now() + START_MS;
    while ((await statusOf(`${url}/readyz`, authority, tokens.get('admin') as string)) !== 200) {
      etcd.mustRun();
      apiserver.mustRun();
      if (Date.now() > end) throw new Error(`kube-apiserver is not ready after ${START_MS} ms; see ${logs.apiserver}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const stop = async () => {
    await apiserver.end('SIGKILL');
    await etcd.end('SIGTERM');
    await rm(dir, { recursive: true, force: true });
  };
  const api: RealKubeApi = {
    url,
    logs,
    token: (user = 'admin') => tokens.get(user),
    kubeconfig: (user = 'admin') => kubeconfigText({ server: url, user, token: tokens.get(user), authority }),
    async kubeconfigFile(into, user = 'admin') {
      const file = join(into, `${user.replaceAll(/[^a-z0-9-]/gi, '-')}.kubeconfig`);
      await writeFile(file, api.kubeconfig(user), { mode: 0o600 });
      return file;
    },
    stop,
    kill: () => apiserver.end('SIGKILL'),
    async restart() {
      await apiserver.end('SIGKILL');
      apiserver.start();
      await ready();
    },
    async expire() {
      await compact(etcdUrl);
      await api.restart();
    },
  };
  try {
    etcd.start();
    apiserver.start();
    await ready();
  } catch (e) {
    await stop();
    throw e;
  }
  return api;
}

/** Forgets the versions of all keys but the newest, through etcd's JSON gateway. */
async function compact(etcdUrl: string): Promise<void> {
  const call = async (path: string, body: object): Promise<{ header: { revision: string } }> => {
    const response = await fetch(`${etcdUrl}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`etcd ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as { header: { revision: string } };
  };
  const { header } = await call('kv/put', { key: Buffer.from('/compaction').toString('base64'), value: '' });
  await call('kv/compaction', { revision: header.revision, physical: true });
}
