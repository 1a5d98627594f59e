import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../testing/folder.js';
import { type Config, ConfigError, readConfig, VARIABLES } from './config.js';
import { helpText } from './help.js';

let folder: TestFolder;
beforeAll(() => {
  folder = new TestFolder();
  for (const name of ['key', 'cert', 'ca']) writeFileSync(join(folder.path, name), name);
  writeFileSync(join(folder.path, 'token'), 'sixteen-letters-or-more\n');
  writeFileSync(join(folder.path, 'short'), 'short\n');
});
afterAll(() => folder.remove());

/** `@name` stands for a file in the folder. */
const inFolder = (env: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(env).map(([k, v]) => [k, v.replace('@', `${folder.path}/`)]));
const PLAIN = {
  HEDDLE_SOURCE: 'manifests:@manifests',
  HEDDLE_OPENFLOW_LISTEN: 'tcp:0.0.0.0:6653',
  HEDDLE_OVSDB_LISTEN: 'tcp:0.0.0.0:6640',
};
const TLS = { HEDDLE_TLS_KEY: '@key', HEDDLE_TLS_CERT: '@cert', HEDDLE_TLS_CA: '@ca' };
const read = (env: Readonly<Record<string, string>>): Config => readConfig(inFolder(env));
const mistakes = (env: Readonly<Record<string, string>>): readonly string[] => {
  try {
    read(env);
    return [];
  } catch (e) {
    if (e instanceof ConfigError) return e.mistakes;
    throw e;
  }
};

describe('the configuration', () => {
  it('has defaults for all but the source and, without TLS, where switches dial in', () => {
    expect(read(PLAIN)).toMatchObject({
      databaseUrl: 'sqlite:heddle.db',
      apiListen: [{ kind: 'tcp', host: '127.0.0.1', port: 8080 }],
      clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/56'],
      serviceCidrs: ['10.96.0.0/16', 'fd00:10:96::/112'],
      families: [4, 6],
      encap: 'geneve',
      dnsServers: undefined,
      apiTokenFile: undefined,
    });
  });

  it('may name name servers, in any spelling of their addresses', () => {
    const HEDDLE_DNS_SERVERS = '192.0.2.53, 2001:DB8:0::53';
    expect(read({ ...PLAIN, HEDDLE_DNS_SERVERS }).dnsServers).toEqual(['192.0.2.53', '2001:db8::53']);
  });

  it('listens with TLS when there are TLS files', () => {
    const { openflowListen, ovsdbListen } = read({ HEDDLE_SOURCE: 'manifests:@manifests', ...TLS });
    expect([...openflowListen, ...ovsdbListen]).toEqual([
      { kind: 'ssl', host: '0.0.0.0', port: 6653 },
      { kind: 'ssl', host: '0.0.0.0', port: 6640 },
    ]);
  });

  it.each<[name: string, env: Record<string, string>, kubeconfig: RegExp]>([
    ['the cluster that its kubeconfig names', { KUBECONFIG: '@token' }, /\/token$/],
    ['the cluster around it', { KUBERNETES_SERVICE_HOST: '10.96.0.1' }, /^undefined$/],
  ])('watches %s', (_, env, kubeconfig) => {
    const { source } = read({ ...PLAIN, HEDDLE_SOURCE: 'kubernetes', ...env });
    expect(source.kind === 'kubernetes' && String(source.kubeconfig)).toMatch(kubeconfig);
  });

  it('does not look at the kubeconfig of other programs when the source is a directory', () => {
    expect(mistakes({ ...PLAIN, KUBECONFIG: '@nowhere' })).toEqual([]);
  });

  it('is of one family when the CIDRs are', () => {
    expect(read({ ...PLAIN, HEDDLE_CLUSTER_CIDR: '10.1.0.0/16', HEDDLE_SERVICE_CIDR: '10.2.0.0/16' }).families).toEqual(
      [4],
    );
  });

  it('takes empty variables as not set', () => {
    expect(read({ ...PLAIN, HEDDLE_ENCAP: '', HEDDLE_TLS_KEY: '' }).encap).toBe('geneve');
  });

  it('takes the file of the token', () => {
    const env = { ...PLAIN, HEDDLE_API_LISTEN: '0.0.0.0:8080,unix:/x.sock', HEDDLE_API_TOKEN_FILE: '@token' };
    expect(read(env).apiTokenFile).toMatch(/token$/);
  });

  it('lets the variables of agents, the lab and Kubernetes pass', () => {
    const others = {
      HEDDLE_ENCAP_IP: '1.2.3.4',
      HEDDLE_OVSDB: 'unix:/x',
      HEDDLE_LAB: 'x',
      HEDDLE_CONTROLLER_SERVICE_HOST: 'x',
    };
    expect(mistakes({ ...PLAIN, ...others })).toEqual([]);
  });
});

describe('a mistake is told with what to do', () => {
  it.each<[name: string, change: Record<string, string>, mistake: RegExp]>([
    ['no source', { HEDDLE_SOURCE: '' }, /^HEDDLE_SOURCE: is missing: say kubernetes or manifests:DIRECTORY$/],
    [
      'a source of another kind',
      { HEDDLE_SOURCE: 'git:x' },
      /^HEDDLE_SOURCE: must be kubernetes or manifests:DIRECTORY$/,
    ],
    [
      'the source kubernetes outside of a cluster, without a kubeconfig',
      { HEDDLE_SOURCE: 'kubernetes' },
      /^KUBECONFIG: is missing: outside of a cluster/,
    ],
    [
      'a Lease without a namespace',
      { HEDDLE_SOURCE: 'kubernetes', KUBECONFIG: '@token', HEDDLE_LEASE: 'heddle' },
      /^HEDDLE_LEASE: must be NAMESPACE\/NAME$/,
    ],
    [
      'an account of agents without a cluster',
      { HEDDLE_AGENT_ACCOUNT: 'heddle-system/heddle-agent' },
      /^HEDDLE_AGENT_ACCOUNT: needs HEDDLE_SOURCE=kubernetes/,
    ],
    [
      'a time for nodes without a number',
      { HEDDLE_NODE_GRACE_SECONDS: '5m' },
      /^HEDDLE_NODE_GRACE_SECONDS: must be a number of seconds$/,
    ],
    [
      'a kubeconfig that is not there',
      { HEDDLE_SOURCE: 'kubernetes', KUBECONFIG: '@nowhere' },
      /^KUBECONFIG: cannot be used/,
    ],
    [
      'a directory that is not there',
      { HEDDLE_SOURCE: 'manifests:@nowhere' },
      /^HEDDLE_SOURCE: .*nowhere is not a directory/,
    ],
    [
      'a database of another kind',
      { HEDDLE_DATABASE_URL: 'mysql://x' },
      /^HEDDLE_DATABASE_URL: must be sqlite:FILE or postgres/,
    ],
    [
      'no OpenFlow listener and no TLS',
      { HEDDLE_OPENFLOW_LISTEN: '' },
      /^HEDDLE_OPENFLOW_LISTEN: is missing: .*tcp:0\.0\.0\.0:6653/,
    ],
    [
      'ssl without TLS files',
      { HEDDLE_OVSDB_LISTEN: 'ssl:0.0.0.0:6640' },
      /^HEDDLE_OVSDB_LISTEN: ssl needs HEDDLE_TLS_KEY/,
    ],
    [
      'an address that is none',
      { HEDDLE_OVSDB_LISTEN: 'tcp:0.0.0.0' },
      /^HEDDLE_OVSDB_LISTEN: "tcp:0\.0\.0\.0" is not unix:/,
    ],
    ['two TLS files of three', { HEDDLE_TLS_KEY: '@key', HEDDLE_TLS_CERT: '@cert' }, /give all three or none/],
    ['a TLS file that is not there', { ...TLS, HEDDLE_TLS_KEY: '@nowhere' }, /^HEDDLE_TLS_KEY: cannot be used: ENOENT/],
    [
      'an API for everybody without a token',
      { HEDDLE_API_LISTEN: 'tcp:0.0.0.0:8080' },
      /^HEDDLE_API_TOKEN_FILE: is missing: 0\.0\.0\.0 is reachable/,
    ],
    [
      'a token that is too short',
      { HEDDLE_API_TOKEN_FILE: '@short' },
      /^HEDDLE_API_TOKEN_FILE: cannot be used: the token in .*short has fewer than 16 characters/,
    ],
    [
      'a CIDR without prefix',
      { HEDDLE_CLUSTER_CIDR: '10.0.0.0' },
      /^HEDDLE_CLUSTER_CIDR: "10\.0\.0\.0" is not ADDRESS\/PREFIX$/,
    ],
    [
      'a CIDR with host bits',
      { HEDDLE_CLUSTER_CIDR: '10.0.0.1/16' },
      /^HEDDLE_CLUSTER_CIDR: 10\.0\.0\.1\/16 has host bits set; write 10\.0\.0\.0\/16$/,
    ],
    [
      'a cluster CIDR smaller than a block',
      { HEDDLE_CLUSTER_CIDR: '10.0.0.0/27', HEDDLE_SERVICE_CIDR: '10.2.0.0/16' },
      /smaller than a block of a node \(\/26\)/,
    ],
    [
      'CIDRs that overlap',
      { HEDDLE_CLUSTER_CIDR: '10.96.0.0/12,fd00::/56' },
      /10\.96\.0\.0\/12 and 10\.96\.0\.0\/16 overlap/,
    ],
    [
      'services of a family that pods have not',
      { HEDDLE_CLUSTER_CIDR: '10.1.0.0/16' },
      /^HEDDLE_SERVICE_CIDR: fd00:10:96::\/112 is of a family/,
    ],
    [
      'a name server by its name',
      { HEDDLE_DNS_SERVERS: '192.0.2.53,ns.example.com' },
      /^HEDDLE_DNS_SERVERS: "ns\.example\.com" is not an IP address$/,
    ],
    ['an encapsulation that is none', { HEDDLE_ENCAP: 'gre' }, /^HEDDLE_ENCAP: must be geneve or vxlan$/],
    ['a log level that is none', { HEDDLE_LOG_LEVEL: 'loud' }, /^HEDDLE_LOG_LEVEL: must be trace, debug/],
    [
      'a name with a typing error',
      { HEDDLE_SERVICE_CIRD: 'x' },
      /^HEDDLE_SERVICE_CIRD: .*did you mean HEDDLE_SERVICE_CIDR\?$/,
    ],
  ])('%s', (_, change, mistake) => {
    expect(mistakes({ ...PLAIN, ...change })).toEqual([expect.stringMatching(mistake)]);
  });

  it('all of them in one message', () => {
    const env = {
      HEDDLE_ENCAP: 'gre',
      HEDDLE_DATABASE_URL: 'x',
      HEDDLE_SOURCE: 'y',
      HEDDLE_SERVICE_CIRD: 'z',
      HEDDLE_API_LISTEN: 'tcp:0.0.0.0:1',
    };
    expect(() => read(env)).toThrow(/^the configuration has 7 mistakes:\n {2}HEDDLE_\w+: .*(\n {2}HEDDLE_\w+: .*){6}$/);
  });
});

it('every variable stands in the help', () => {
  expect(Object.keys(VARIABLES).filter((name) => !helpText().includes(`  ${name} `))).toEqual([]);
});
