import { readFileSync, statSync } from 'node:fs';
import { type Encap, type Endpoint, parseEndpoints, readTokenFile, type TlsFiles } from '@heddle/api';
import { type Cidr, cidr, type Family, familyOf, type Ip, ip } from '@heddle/compiler';
import { z } from 'zod';
import { BLOCK_PREFIX } from '../allocation/block-pool.js';
import { range } from '../allocation/ranges.js';

export type SourceConfig =
  | { readonly kind: 'manifests'; readonly directory: string }
  /** Without a kubeconfig it is the cluster that this process runs in. */
  | {
      readonly kind: 'kubernetes';
      readonly kubeconfig: string | undefined;
      /** Who holds it writes to the cluster; without one this process does. */
      readonly lease: { readonly namespace: string; readonly name: string } | undefined;
      /** How long a node may be without its Node object before it is removed; 0: for ever. */
      readonly nodeGraceMs: number;
      /** Service account by whose tokens agents are known; undefined: they have the API token. */
      readonly agentAccount: { readonly namespace: string; readonly name: string } | undefined;
    };

/** The environment, understood. */
export interface Config {
  readonly source: SourceConfig;
  readonly databaseUrl: string;
  readonly openflowListen: readonly Endpoint[];
  readonly ovsdbListen: readonly Endpoint[];
  readonly apiListen: readonly Endpoint[];
  /** Paths of PEM files. */
  readonly tls: TlsFiles | undefined;
  readonly clusterCidrs: readonly Cidr[];
  readonly serviceCidrs: readonly Cidr[];
  /** Families of the pod network, IPv4 first. */
  readonly families: readonly Family[];
  readonly encap: Encap;
  /** Undefined: those of the cluster's own name service. */
  readonly dnsServers: readonly Ip[] | undefined;
  readonly logLevel: string;
  /** File with the bearer token of the TCP listeners. */
  readonly apiTokenFile: string | undefined;
}

/** Everything that is wrong with the environment, a sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly mistakes: readonly string[]) {
    super(
      `the configuration has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n${mistakes.map((m) => `  ${m}`).join('\n')}`,
    );
  }
}

/** What each variable is for; `--help` prints it. */
export const VARIABLES = {
  HEDDLE_SOURCE: 'where Kubernetes objects come from: kubernetes, or manifests:DIRECTORY (required)',
  KUBECONFIG: 'kubeconfig file for the source kubernetes (default: the service account of the pod that this runs in)',
  HEDDLE_LEASE:
    'NAMESPACE/NAME of a Lease, for the source kubernetes: of several controllers the one that holds it writes to the cluster (default: no Lease, this one writes)',
  HEDDLE_AGENT_ACCOUNT:
    'NAMESPACE/NAME of the ServiceAccount of the agents, for the source kubernetes: each may speak for the node of its own token only (default: agents have the token of the API, and may speak for every node)',
  HEDDLE_NODE_GRACE_SECONDS:
    'for the source kubernetes: a node whose Node object was deleted is removed after this time, if nothing of it is connected; 0: never (default 300)',
  HEDDLE_DATABASE_URL: 'sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME (default sqlite:heddle.db)',
  HEDDLE_OPENFLOW_LISTEN:
    'where switches dial in: tcp:HOST:PORT, ssl:HOST:PORT, unix:/PATH, comma separated (default ssl:0.0.0.0:6653 with TLS files)',
  HEDDLE_OVSDB_LISTEN: 'where ovsdb-servers dial in, as above (default ssl:0.0.0.0:6640 with TLS files)',
  HEDDLE_API_LISTEN:
    'where the REST API listens, as above, also http:// and https://HOST:PORT (default tcp:127.0.0.1:8080)',
  HEDDLE_API_TOKEN_FILE:
    'file with the bearer token of the API; needed if it listens on more than loopback and unix sockets',
  HEDDLE_TLS_KEY: 'private key file (PEM) for ssl: listeners',
  HEDDLE_TLS_CERT: 'certificate file (PEM) for ssl: listeners',
  HEDDLE_TLS_CA: 'file (PEM) of the authority that signs the certificates of switches, agents and other clients',
  HEDDLE_CLUSTER_CIDR: 'pod addresses, one CIDR or one of each family (default 10.244.0.0/16,fd00:10:244::/56)',
  HEDDLE_SERVICE_CIDR: 'service addresses (default 10.96.0.0/16,fd00:10:96::/112)',
  HEDDLE_ENCAP: 'geneve or vxlan (default geneve)',
  HEDDLE_DNS_SERVERS:
    'addresses of the name servers whose answers say what domainNames of policies stand for, comma separated (default: the service kube-system/kube-dns and its endpoints)',
  HEDDLE_LOG_LEVEL: 'trace, debug, info, warn, error or fatal (default info)',
} as const;

const endpoints = z.string().transform((text, context) => {
  try {
    const list = parseEndpoints(text);
    if (list.length > 0) return list;
    context.addIssue('names no address; give at least one');
  } catch (e) {
    context.addIssue(e instanceof Error ? e.message : String(e));
  }
  return z.NEVER;
});
const cidrs = z.string().transform((text, context): Cidr[] => {
  const list: Cidr[] = [];
  for (const part of text.split(',').map((p) => p.trim())) {
    try {
      if (!part.includes('/')) throw new RangeError(`"${part}" is not ADDRESS/PREFIX`);
      const canonical = cidr(part);
      if (part.includes('.') && canonical !== part) context.addIssue(`${part} has host bits set; write ${canonical}`);
      list.push(canonical);
    } catch (e) {
      context.addIssue(e instanceof Error ? e.message : String(e));
    }
  }
  return list;
});
function addresses(text: string, context: z.RefinementCtx): Ip[] {
  return text.split(',').flatMap((part): Ip[] => {
    try {
      return [ip(part.trim())];
    } catch {
      context.addIssue(`"${part.trim()}" is not an IP address`);
      return [];
    }
  });
}
/** A token that can be guessed is none. */
export const LEAST_TOKEN_LENGTH = 16;

const fileThat = (read: (path: string) => void) =>
  z.string().superRefine((path, context) => {
    try {
      read(path);
    } catch (e) {
      context.addIssue(`cannot be used: ${e instanceof Error ? e.message : String(e)}`);
    }
  });
const file = fileThat((path) => readFileSync(path));
const tokenFile = fileThat((path) => readTokenFile(path, LEAST_TOKEN_LENGTH));
const namespacedName = z
  .string()
  .regex(/^[a-z0-9-]+\/[a-z0-9.-]+$/, 'must be NAMESPACE/NAME')
  .transform((text) => {
    const [namespace = '', name = ''] = text.split('/');
    return { namespace, name };
  });

const Environment = z.object({
  HEDDLE_SOURCE: z
    .string({ error: 'is missing: say kubernetes or manifests:DIRECTORY' })
    .regex(/^(kubernetes|manifests:.+)$/, 'must be kubernetes or manifests:DIRECTORY')
    .transform((text) => (text === 'kubernetes' ? undefined : text.slice('manifests:'.length)))
    .superRefine((directory, context) => {
      if (directory === undefined) return;
      const stat = statSync(directory, { throwIfNoEntry: false });
      if (stat?.isDirectory() !== true) context.addIssue(`${directory} is not a directory; create it or name another`);
    }),
  HEDDLE_LEASE: namespacedName.optional(),
  HEDDLE_AGENT_ACCOUNT: namespacedName.optional(),
  HEDDLE_NODE_GRACE_SECONDS: z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a number of seconds')
    .default('300')
    .transform((text) => Number(text) * 1_000),
  HEDDLE_DATABASE_URL: z
    .string()
    .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, 'must be sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME')
    .default('sqlite:heddle.db'),
  HEDDLE_OPENFLOW_LISTEN: endpoints.optional(),
  HEDDLE_OVSDB_LISTEN: endpoints.optional(),
  HEDDLE_API_LISTEN: endpoints.prefault('tcp:127.0.0.1:8080'),
  HEDDLE_API_TOKEN_FILE: tokenFile.optional(),
  HEDDLE_TLS_KEY: file.optional(),
  HEDDLE_TLS_CERT: file.optional(),
  HEDDLE_TLS_CA: file.optional(),
  HEDDLE_CLUSTER_CIDR: cidrs.prefault('10.244.0.0/16,fd00:10:244::/56'),
  HEDDLE_SERVICE_CIDR: cidrs.prefault('10.96.0.0/16,fd00:10:96::/112'),
  HEDDLE_ENCAP: z.enum(['geneve', 'vxlan'], { error: 'must be geneve or vxlan' }).default('geneve'),
  HEDDLE_DNS_SERVERS: z
    .string()
    .transform((text, context) => addresses(text, context))
    .optional(),
  HEDDLE_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], {
      error: 'must be trace, debug, info, warn, error or fatal',
    })
    .default('info'),
});
type Values = z.output<typeof Environment>;
/** What could be read: one wrong variable must not hide the mistakes in the others. */
type Readable = Partial<Values>;

/** @throws ConfigError that lists every mistake */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  // An empty variable is one that is not set, as most shells and unit files mean it.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(Environment.shape)) {
    const parsed = schema.safeParse(given[name]);
    if (parsed.success) values[name] = parsed.data;
    else mistakes.push(...parsed.error.issues.map((i) => `${name}: ${i.message}`));
  }
  const readable = values as Readable;
  const tls = tlsFiles(given, readable, mistakes);
  const openflowListen = listeners(given, readable, 'HEDDLE_OPENFLOW_LISTEN', 6653, mistakes);
  const ovsdbListen = listeners(given, readable, 'HEDDLE_OVSDB_LISTEN', 6640, mistakes);
  checkApi(given, readable, mistakes);
  const families = networks(readable, mistakes);
  const source = sourceOf(given, readable, mistakes);
  mistakes.push(...misspelled(given));
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const all = values as Values;
  return {
    source,
    databaseUrl: all.HEDDLE_DATABASE_URL,
    openflowListen,
    ovsdbListen,
    apiListen: all.HEDDLE_API_LISTEN,
    tls,
    clusterCidrs: all.HEDDLE_CLUSTER_CIDR,
    serviceCidrs: all.HEDDLE_SERVICE_CIDR,
    families,
    encap: all.HEDDLE_ENCAP,
    dnsServers: all.HEDDLE_DNS_SERVERS,
    logLevel: all.HEDDLE_LOG_LEVEL,
    apiTokenFile: all.HEDDLE_API_TOKEN_FILE,
  };
}

type Given = Readonly<Record<string, string | undefined>>;
const TLS_NAMES = ['HEDDLE_TLS_KEY', 'HEDDLE_TLS_CERT', 'HEDDLE_TLS_CA'] as const;
const hasTls = (given: Given): boolean => TLS_NAMES.some((name) => given[name] !== undefined);

function sourceOf(given: Given, values: Readable, mistakes: string[]): SourceConfig {
  if (values.HEDDLE_SOURCE !== undefined) {
    if (values.HEDDLE_AGENT_ACCOUNT !== undefined)
      mistakes.push('HEDDLE_AGENT_ACCOUNT: needs HEDDLE_SOURCE=kubernetes, whose API server knows the tokens');
    return { kind: 'manifests', directory: values.HEDDLE_SOURCE };
  }
  // KUBECONFIG is often set for other programs, so it is looked at only where it is used.
  if ('HEDDLE_SOURCE' in values) {
    const wrong = given.KUBECONFIG === undefined ? undefined : file.safeParse(given.KUBECONFIG).error;
    mistakes.push(...(wrong?.issues ?? []).map((i) => `KUBECONFIG: ${i.message}`));
    if (given.KUBECONFIG === undefined && given.KUBERNETES_SERVICE_HOST === undefined)
      mistakes.push('KUBECONFIG: is missing: outside of a cluster the source kubernetes needs a kubeconfig file');
  }
  const {
    HEDDLE_LEASE: lease,
    HEDDLE_AGENT_ACCOUNT: agentAccount,
    HEDDLE_NODE_GRACE_SECONDS: nodeGraceMs = 0,
  } = values;
  return { kind: 'kubernetes', kubeconfig: given.KUBECONFIG, lease, nodeGraceMs, agentAccount };
}

/**
 * A name that is almost one of ours is a typing error. Others pass: agents and the lab have variables of their own, and
 * Kubernetes makes HEDDLE_CONTROLLER_SERVICE_HOST and its like out of services.
 */
function misspelled(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith('HEDDLE_') || name in VARIABLES) return [];
    const meant = Object.keys(VARIABLES).find((known) => distance(known, name) <= 2);
    return meant === undefined ? [] : [`${name}: there is no such variable; did you mean ${meant}?`];
  });
}

/** Levenshtein's: how many letters to add, leave out or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function tlsFiles(given: Given, values: Readable, mistakes: string[]): TlsFiles | undefined {
  const { HEDDLE_TLS_KEY: key, HEDDLE_TLS_CERT: cert, HEDDLE_TLS_CA: ca } = values;
  if (key !== undefined && cert !== undefined && ca !== undefined) return { key, cert, ca };
  if (hasTls(given) && TLS_NAMES.some((name) => given[name] === undefined))
    mistakes.push(`${TLS_NAMES.join(', ')}: give all three or none`);
  return undefined;
}

function listeners(
  given: Given,
  values: Readable,
  name: 'HEDDLE_OPENFLOW_LISTEN' | 'HEDDLE_OVSDB_LISTEN',
  port: number,
  mistakes: string[],
): readonly Endpoint[] {
  if (given[name] === undefined && !hasTls(given))
    mistakes.push(
      `${name}: is missing: without ${TLS_NAMES.join(', ')} say tcp:0.0.0.0:${port} to accept unencrypted connections`,
    );
  if (values[name]?.some((e) => e.kind === 'ssl') && !hasTls(given))
    mistakes.push(`${name}: ssl needs ${TLS_NAMES.join(', ')}`);
  return values[name] ?? [{ kind: 'ssl', host: '0.0.0.0', port }];
}

function checkApi(given: Given, values: Readable, mistakes: string[]): void {
  for (const endpoint of values.HEDDLE_API_LISTEN ?? []) {
    if (endpoint.kind === 'ssl' && !hasTls(given))
      mistakes.push(`HEDDLE_API_LISTEN: ssl needs ${TLS_NAMES.join(', ')}`);
    if (endpoint.kind !== 'unix' && !isLoopback(endpoint.host) && given.HEDDLE_API_TOKEN_FILE === undefined)
      mistakes.push(
        `HEDDLE_API_TOKEN_FILE: is missing: ${endpoint.host} is reachable from outside, so a token is needed`,
      );
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function networks(values: Readable, mistakes: string[]): Family[] {
  const { HEDDLE_CLUSTER_CIDR: cluster, HEDDLE_SERVICE_CIDR: service } = values;
  if (cluster === undefined || service === undefined) return [];
  const families = ([4, 6] as const).filter((f) => cluster.some((c) => familyOf(c) === f));
  for (const text of cluster) {
    const { family, prefix } = range(text);
    if (prefix > BLOCK_PREFIX[family])
      mistakes.push(`HEDDLE_CLUSTER_CIDR: ${text} is smaller than a block of a node (/${BLOCK_PREFIX[family]})`);
  }
  for (const text of service)
    if (!families.includes(familyOf(text)))
      mistakes.push(`HEDDLE_SERVICE_CIDR: ${text} is of a family that HEDDLE_CLUSTER_CIDR has not`);
  const all = [...cluster, ...service].map(range);
  for (const [i, a] of all.entries())
    for (const b of all.slice(i + 1))
      if (a.family === b.family && a.first < b.first + b.size && b.first < a.first + a.size)
        mistakes.push(`HEDDLE_CLUSTER_CIDR, HEDDLE_SERVICE_CIDR: ${a.cidr} and ${b.cidr} overlap`);
  return families;
}
