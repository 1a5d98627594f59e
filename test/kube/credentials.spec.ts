import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';
import { fromKubeconfig, inCluster } from '../../apps/controller/src/kubernetes/credentials.js';
import { KubeClient } from '../../apps/controller/src/kubernetes/kube-client.js';
import { ManualClock } from '../../apps/controller/src/testing/manual-clock.js';
import { type KubeApi, startKubeApi } from '../support/kube-api/index.js';

let api: KubeApi;
let folder: string;
let clock: ManualClock;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-cred-'));
  clock = new ManualClock();
  api = await startKubeApi({ tls: true, tokens: { 'the-first-token-of-the-pod': 'pod' } });
});
afterEach(async () => {
  await api.stop();
  rmSync(folder, { recursive: true });
});

const version = async (client: KubeClient) => (await client.request('GET', '/version')) as object;
/** What a kubelet puts into a pod. */
async function asPod(token: string): Promise<KubeClient> {
  const kubeconfig = parse(api.kubeconfig());
  const ca = Buffer.from(kubeconfig.clusters[0].cluster['certificate-authority-data'], 'base64');
  writeFileSync(join(folder, 'ca.crt'), ca);
  writeFileSync(join(folder, 'token'), token);
  const { hostname, port } = new URL(api.url);
  const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  return new KubeClient(await inCluster(clock, env, folder), clock);
}

it('of a service account open the API server whose authority the kubelet gave', async () => {
  expect(await version(await asPod('the-first-token-of-the-pod'))).toHaveProperty('gitVersion');
});

it('of a service account follow the token that the kubelet renews', async () => {
  const client = await asPod('an-expired-token');
  await expect(version(client)).rejects.toMatchObject({ status: 401 });
  writeFileSync(join(folder, 'token'), 'the-first-token-of-the-pod\n');
  clock.advance(61_000);
  expect(await version(client)).toHaveProperty('gitVersion');
});

it('of a service account follow the authority that the kubelet renews', async () => {
  const client = await asPod('the-first-token-of-the-pod');
  const other = await startKubeApi({ tls: true });
  try {
    const authority = (of: KubeApi) =>
      Buffer.from(parse(of.kubeconfig()).clusters[0].cluster['certificate-authority-data'], 'base64');
    writeFileSync(join(folder, 'ca.crt'), authority(other));
    clock.advance(61_000);
    await expect(version(client)).rejects.toThrow(/certificate/);
    writeFileSync(join(folder, 'ca.crt'), authority(api));
    clock.advance(61_000);
    expect(await version(client)).toHaveProperty('gitVersion');
  } finally {
    await other.stop();
  }
});

it('are missing outside of a cluster', async () => {
  await expect(inCluster(clock, {}, folder)).rejects.toThrow(/KUBERNETES_SERVICE_HOST is not set/);
});

it('of a kubeconfig open the API server that it names, and trust no other', async () => {
  const file = await api.kubeconfigFile(folder);
  expect(await version(new KubeClient(await fromKubeconfig(file), clock))).toHaveProperty('gitVersion');
  const other = await startKubeApi({ tls: true });
  try {
    const { clusters } = parse(other.kubeconfig());
    const own = parse(api.kubeconfig());
    const authority = clusters[0].cluster['certificate-authority-data'];
    own.clusters[0].cluster['certificate-authority-data'] = authority;
    const wrong = join(folder, 'wrong');
    writeFileSync(wrong, JSON.stringify(own));
    await expect(version(new KubeClient(await fromKubeconfig(wrong), clock))).rejects.toThrow(/certificate/);
  } finally {
    await other.stop();
  }
});
