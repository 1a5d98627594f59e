import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ApiClient, Attachment, NodeConfig, path, RealizedAnswer, ROUTES, StatusView } from '@heddle/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../apps/controller/src/clock.js';
import { createKubeClient, type KubeClient } from '../../apps/controller/src/kubernetes/kube-client.js';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { controllerEnvironment } from '../support/controller.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';
import { freePort } from '../support/ports.js';
import { SERVERS, type Server } from './servers.js';

const ROOT = resolve(import.meta.dirname, '../..');
const BUILT = existsSync(join(ROOT, 'apps/controller/dist/main.js'));
const POLICIES = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';

const pod = (name: string, labels: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels },
  spec: { containers: [{ name: 'c', image: 'i' }] },
});
const policy = (name: string, port: number) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace: 'default' },
  spec: {
    podSelector: { matchLabels: { app: 'web' } },
    ingress: [{ from: [{ podSelector: {} }], ports: [{ port, protocol: 'TCP' }] }],
  },
});

const runs = SERVERS.map((row) => ({ ...row, skip: row.skip || !hasOvs() || !BUILT }));

describe.each(runs)('a controller process between $title and a real switch', ({ skip, start }) => {
  describe.skipIf(skip)('with two pods attached', () => {
    let folder: TestFolder;
    let api: Server;
    let kube: KubeClient;
    let running: ChildProcess;
    let log: string;
    let ovs: TestSwitch;
    let client: ApiClient;

    beforeEach(async () => {
      folder = new TestFolder();
      log = '';
      api = await start();
      const KUBECONFIG = await api.kubeconfigFile(folder.path);
      kube = await createKubeClient(KUBECONFIG, systemClock);
      const port = await freePort();
      running = spawn(join(ROOT, 'apps/controller/bin/heddle-controller'), [], {
        cwd: folder.path,
        env: {
          PATH: process.env.PATH,
          KUBECONFIG,
          ...controllerEnvironment(folder, port),
          HEDDLE_SOURCE: 'kubernetes',
          HEDDLE_LOG_LEVEL: 'info',
        },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      running.stderr?.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
      client = new ApiClient({ url: `unix:${folder.socket}` });
      const body = { encapIp: '172.31.99.1', addresses: [], underlayMtu: 1500, datapathType: 'netdev' };
      await expect.poll(() => log, { timeout: 30_000 }).toContain('"event":"ready"');
      const node = await client.put(path(ROUTES.agentNode, 'node1'), NodeConfig, { body });
      ovs = await startSwitch({ datapathId: BigInt(`0x${node.datapathId}`) });
      await ovs.vsctl('set-fail-mode', 'br-int', 'secure');
      await ovs.vsctl('set-controller', 'br-int', `tcp:127.0.0.1:${port}`);
      for (const [name, app] of [
        ['web', 'web'],
        ['peer', 'peer'],
      ] as const) {
        await kube.request('POST', '/api/v1/namespaces/default/pods', { body: pod(name, { app }) });
        const attach = { node: 'node1', containerId: `c-${name}`, ifname: 'eth0', namespace: 'default', pod: name };
        const { portKey } = await client.post(ROUTES.agentAttach, Attachment, { body: { ...attach, waitMs: 10_000 } });
        await client.post(ROUTES.agentRealized, RealizedAnswer, { body: { portKey, timeoutMs: 10_000 } });
      }
    });
    afterEach(async () => {
      if (running.exitCode === null) {
        running.kill('SIGKILL');
        await once(running, 'exit');
      }
      await ovs?.stop();
      await api.stop();
      folder.remove();
    });

    /** Ports that flows of policies match, which are in no other flow. */
    const matched = async (ports: readonly number[]) => {
      const flows = (await ovs.flows()).join('\n');
      return ports.filter((port) => new RegExp(`tp_dst=${port}\\b`).test(flows));
    };
    const settled = () => client.get(ROUTES.status, StatusView, { query: { waitMs: 20_000 } });

    it('puts the flows of a policy there that was made through the API, and takes them away again', async () => {
      await kube.request('POST', POLICIES, { body: policy('p', 4711) });
      expect(await settled()).toMatchObject({ realized: true, counts: { policies: 1 } });
      expect(await matched([4711])).toEqual([4711]);
      await kube.request('DELETE', `${POLICIES}/p`);
      expect(await settled()).toMatchObject({ realized: true, counts: { policies: 0 } });
      expect(await matched([4711])).toEqual([]);
    });

    it('leaves the switch alone while the API server is killed in the middle of churn, then sends the difference', async () => {
      await kube.request('POST', POLICIES, { body: policy('kept', 4711) });
      await kube.request('POST', POLICIES, { body: policy('goes', 4712) });
      await settled();
      const churn = Array.from({ length: 40 }, (_, i) =>
        kube.request('POST', POLICIES, { body: policy(`churn${i}`, 5_000 + i) }).catch(() => undefined),
      );
      await Promise.race(churn);
      await api.kill();
      await Promise.all(churn);
      await expect.poll(() => log).toContain('cannot be watched');
      expect(await settled()).toMatchObject({ realized: true });
      const before = await ovs.flows();
      expect(await matched([4711, 4712])).toEqual([4711, 4712]);
      expect(await ovs.flows()).toEqual(before);
      await api.restart();
      await kube.request('DELETE', `${POLICIES}/goes`);
      await kube.request('POST', POLICIES, { body: policy('came', 4713) });
      await expect.poll(() => matched([4711, 4712, 4713])).toEqual([4711, 4713]);
      // Which of the others were made before the server died only the server knows.
      const list = (await kube.request('GET', POLICIES)) as { items: { metadata: { name: string } }[] };
      const there = list.items
        .flatMap(({ metadata }) => /^churn(\d+)$/.exec(metadata.name)?.[1] ?? [])
        .map((n) => 5_000 + Number(n));
      await expect
        .poll(() => matched(Array.from({ length: 40 }, (_, i) => 5_000 + i)))
        .toEqual(there.sort((a, b) => a - b));
      expect(await settled()).toMatchObject({ realized: true, counts: { policies: 2 + there.length } });
    });
  });
});
