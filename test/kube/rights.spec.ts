import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient, NodeConfig, path, ROUTES } from '@heddle/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { type Harness, startHarness } from '../../apps/controller/src/testing/harness.js';
import { build, DEPLOY } from '../deploy/kustomize.js';
import { allows, grantsOf, grantText } from '../deploy/rbac.js';
import { denyingClusterPolicy, openDefinition } from '../support/cluster-policies.js';
import { type Attributes, type KubeApi, startKubeApi } from '../support/kube-api/index.js';
import { quickClock } from '../support/quick-clock.js';

// A controller whose user has the rights that deploy/ gives its account: it is refused nothing, and there is no right that it does not use.

const ACCOUNT = 'controller';
const objects = build(DEPLOY);
/** Rights in the namespace are heddle-setup's, which the run of the images shows. */
const grants = grantsOf(objects, 'heddle-system', 'heddle-controller').filter((g) => g.namespace === undefined);
const LONG = { timeout: 30_000 };

const refused: Attributes[] = [];
let api: KubeApi;
let folder: TestFolder;
let h: Harness;

beforeAll(async () => {
  api = await startKubeApi({
    tokens: { 'the-token-of-the-controller': ACCOUNT },
    authorize: (asked) => {
      const allowed = asked.user !== ACCOUNT || grants.some((grant) => allows(grant, asked));
      if (!allowed) refused.push(asked);
      return allowed;
    },
  });
  for (const crd of objects.filter(({ kind }) => kind === 'CustomResourceDefinition')) api.put(crd);
  api.put(openDefinition('ClusterNetworkPolicy', 'v1alpha2'));
  api.put(openDefinition('AdminNetworkPolicy', 'v1alpha1'));
  api.put(openDefinition('BaselineAdminNetworkPolicy', 'v1alpha1'));
  api.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' } });
  folder = new TestFolder();
  const KUBECONFIG = await api.kubeconfigFile(folder.path, ACCOUNT);
  writeFileSync(join(folder.path, 'token'), 'the-token-of-the-operators');
  const settings = {
    HEDDLE_SOURCE: 'kubernetes',
    KUBECONFIG,
    HEDDLE_API_LISTEN: `tcp:127.0.0.1:0,unix:${folder.socket}`,
    HEDDLE_API_TOKEN_FILE: join(folder.path, 'token'),
    HEDDLE_AGENT_ACCOUNT: 'heddle-system/heddle-agent',
  };
  h = await startHarness(folder, settings, quickClock(5));
});
afterAll(async () => {
  await h?.stop();
  await api?.stop();
  folder?.remove();
});

const policy = (name: string, spec: object) =>
  api.put({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'default' },
    spec,
  });
const used = () => api.stats().attributes.filter(({ user }) => user === ACCOUNT);

it('uses every right that it has, and is refused nothing', async () => {
  await h.client.put(path(ROUTES.agentNode, 'node1'), NodeConfig, {
    body: { encapIp: '172.31.99.1', addresses: [], underlayMtu: 1500, datapathType: 'netdev' },
  });
  h.switches.connect('node1');
  // A token that nobody has given is worth a question too.
  const claims = { aud: ['heddle'], exp: Date.now() };
  const token = `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
  const stranger = new ApiClient({ url: `http://127.0.0.1:${h.controller.apiPorts[0]}`, token });
  await expect(stranger.text('GET', path(ROUTES.agentNodeConfig, 'node1'))).rejects.toMatchObject({ status: 401 });
  policy('p', { podSelector: {}, policyTypes: ['Ingress'] });
  policy('wrong', { podSelector: {}, ingress: [{ ports: [{ port: 'Not A Port', protocol: 'TCP' }] }] });
  api.put(denyingClusterPolicy('c'));
  await expect.poll(() => api.objects('realizations').length, LONG).toBeGreaterThanOrEqual(2);
  await expect.poll(() => api.objects('clusterrealizations').length, LONG).toBe(1);
  await expect.poll(() => api.objects('events').length, LONG).toBeGreaterThan(0);
  await expect.poll(() => api.object('nodes', 'node1')?.status?.conditions, LONG).toBeDefined();
  api.remove('networkpolicies', 'p', 'default');
  api.remove('clusternetworkpolicies', 'c');
  await expect.poll(() => api.objects('clusterrealizations').length, LONG).toBe(0);
  const idle = () => grants.filter((grant) => !used().some((asked) => allows(grant, asked))).map(grantText);
  await expect.poll(idle, LONG).toEqual([]);
  expect(refused.map(grantText)).toEqual([]);
});
