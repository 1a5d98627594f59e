import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { KubeClient } from '../../apps/lab/src/kube/client.js';
import { readKubeconfig } from '../../apps/lab/src/kube/kubeconfig.js';
import { TRUTH_TABLE } from '../policy/truth-table.js';
import { CLUSTER_POLICIES, CLUSTER_POLICY_CRD } from '../support/cluster-policies.js';
import { type ApiHandle, startKubeApi, startRealKubeApi, whyNoRealKubeApi } from '../support/kube-api/index.js';
import { TestLab, until } from '../support/lab.js';
import { kubeletSuite } from './suites/kubelet.js';
import { networkSuite } from './suites/network.js';
import { policySuite } from './suites/policy.js';

// What the lab proves with manifests, with an API server in their place: the small one of these tests, and kube-apiserver where there is one.

/** Every how many cases of the truth table run here; all of them run with manifests, and here too with HEDDLE_E2E_FULL=1. */
const SAMPLE = process.env.HEDDLE_E2E_FULL === '1' ? 1 : 10;
const missing = whyNoRealKubeApi();
if (missing !== undefined) console.log(`skipped: no kube-apiserver (${missing})`);

const servers: readonly [name: string, skip: boolean, start: () => Promise<ApiHandle>][] = [
  ['the small API server', false, () => startKubeApi()],
  ['kube-apiserver', missing !== undefined, () => startRealKubeApi()],
];

describe.each(servers)('with %s', (_name, skip, start) => {
  describe.skipIf(skip)('the lab', () => {
    const lab = new TestLab();
    describe('as kubelets', () => kubeletSuite(lab, start));

    describe('and its tables', () => {
      let server: ApiHandle;
      let folder: string;
      beforeAll(async () => {
        folder = mkdtempSync(join(tmpdir(), 'heddle-e2e-'));
        server = await start();
        const kube = new KubeClient(readKubeconfig(await server.kubeconfigFile(folder)));
        await kube.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', CLUSTER_POLICY_CRD);
        await until('cluster policies are served', async () => (await kube.find(CLUSTER_POLICIES)) !== undefined);
        kube.close();
      }, 180_000);
      afterAll(async () => {
        await server?.stop();
        rmSync(folder, { recursive: true, force: true });
      });
      const source = async () => ['--kubeconfig', await server.kubeconfigFile(folder)];
      describe('network', () => networkSuite(lab, source));
      describe('policy', () => {
        const cases = TRUTH_TABLE.filter((_c, i) => i % SAMPLE === 0);
        policySuite({ lab, cases, source, put: (file, text) => lab.apply(file, text) });
      });
    });
  });
});
