import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOME, stayHome } from '../../deploy/setup/src/home.js';
import { ApiServerError, secretStore } from '../../deploy/setup/src/secrets.js';
import { SECRETS, setUp } from '../../deploy/setup/src/setup.js';
import { build, DEPLOY } from '../deploy/kustomize.js';
import { allows, grantsOf, grantText } from '../deploy/rbac.js';
import { type Attributes, type KubeApi, startKubeApi } from '../support/kube-api/index.js';

// heddle-setup against an API server that refuses what the Role does not give.

const ACCOUNT = 'setup';
const NAMESPACE = 'heddle-system';
const TOKEN = 'the-token-of-the-account';
const grants = grantsOf(build(DEPLOY), NAMESPACE, 'heddle-controller').filter((g) => g.namespace !== undefined);
const used: Attributes[] = [];
const refused: Attributes[] = [];
let api: KubeApi;

beforeAll(async () => {
  api = await startKubeApi({
    tokens: { [TOKEN]: ACCOUNT },
    authorize: (asked) => {
      const allowed = asked.user !== ACCOUNT || grants.some((grant) => allows(grant, asked));
      if (asked.user === ACCOUNT) used.push(asked);
      if (!allowed) refused.push(asked);
      return allowed;
    },
  });
  api.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
});
afterAll(() => api.stop());

const store = () => {
  const data = /certificate-authority-data: "?([A-Za-z0-9+/=]+)/.exec(api.kubeconfig())?.[1] ?? '';
  return secretStore({ url: api.url, token: TOKEN, ca: Buffer.from(data, 'base64').toString(), namespace: NAMESPACE });
};
const run = (names: readonly string[]) => setUp({ store: store(), names, now: new Date(), say: () => undefined });
const inCluster = (name: string) => api.object('secrets', name, NAMESPACE);
const version = (name: string) => inCluster(name)?.metadata.resourceVersion;
const home = (node: string, files: readonly string[] = []) =>
  stayHome({ store: store(), node, databaseUrl: 'sqlite:/db', exists: (f) => files.includes(f), say: () => undefined });

describe('heddle-setup in a cluster', () => {
  it('makes Secrets that a kubelet can mount, and finds them again', async () => {
    const files = await run(['10.96.0.9']);
    for (const name of [SECRETS.controller, SECRETS.agent]) {
      const secret = inCluster(name);
      expect(secret?.type).toBe('kubernetes.io/tls');
      expect(Object.keys(secret?.data).sort()).toEqual(['ca.crt', 'tls.crt', 'tls.key']);
    }
    const token = Buffer.from(inCluster(SECRETS.token)?.data.token, 'base64').toString();
    expect(token).toBe(files.token);
    const before = Object.values(SECRETS).map(version);
    expect(await run(['10.96.0.9'])).toEqual(files);
    expect(Object.values(SECRETS).map(version)).toEqual(before);
  });

  it('replaces what has to be another one, and keeps the rest', async () => {
    const before = [version(SECRETS.controller), version(SECRETS.agent)];
    await run(['10.96.0.10']);
    expect(version(SECRETS.controller)).not.toBe(before[0]);
    expect(version(SECRETS.agent)).toBe(before[1]);
  });

  it('notes where the database is, and follows it when it is moved', async () => {
    await home('a');
    await expect(home('b')).rejects.toThrow(/is on node a/);
    await home('b', ['/db']);
    expect(Buffer.from(inCluster(HOME)?.data.node, 'base64').toString()).toBe('b');
  });

  it('says what the API server answered', async () => {
    const mend = api.fail((asked) => asked.user === ACCOUNT, 500, 1);
    await expect(run([])).rejects.toThrow(ApiServerError);
    mend();
  });

  it('uses every right that the Role gives, and is refused nothing', () => {
    expect(grants.filter((grant) => !used.some((asked) => allows(grant, asked))).map(grantText)).toEqual([]);
    for (const name of [...Object.values(SECRETS), HOME]) expect(used.map((asked) => asked.name)).toContain(name);
    expect(refused.map(grantText)).toEqual([]);
  });
});
