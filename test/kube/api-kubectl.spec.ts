import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { findKubeProgram, type Json } from '../support/kube-api/index.js';
import { RawClient } from './api-client.js';
import { SERVERS, type Server } from './servers.js';

const kubectl = findKubeProgram('kubectl');
const POLICIES = 2000;
const BAD = 1234;

/** One file with many policies; one of them has a member of a wrong type. */
const manifest = Array.from({ length: POLICIES }, (_, i) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: `p${i}`, namespace: 'default' },
  spec: {
    podSelector: { matchLabels: { app: `a${i % 50}` } },
    ingress:
      i === BAD ? 'all' : [{ from: [{ podSelector: { matchLabels: { app: `b${i}` } } }], ports: [{ port: 1000 + i }] }],
  },
}))
  .map((policy) => stringify(policy))
  .join('---\n');

/** Runs kubectl to its end. */
async function run(args: readonly string[]) {
  const child = spawn(kubectl as string, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [[status], stdout, stderr] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { status, stdout, stderr };
}

for (const { title, skip, start } of SERVERS)
  describe.skipIf(skip || kubectl === undefined)(
    `kubectl with ${title}${kubectl === undefined ? ' (skipped: no kubectl)' : ''}`,
    { timeout: 180_000 },
    () => {
      let dir: string;
      let server: Server;
      let client: RawClient;
      beforeAll(async () => {
        dir = mkdtempSync(join(tmpdir(), 'heddle-kubectl-'));
        server = await start();
        client = new RawClient(server);
      }, 180_000);
      afterAll(async () => {
        client?.close();
        await server?.stop();
        rmSync(dir, { recursive: true, force: true });
      });

      it(`applies ${POLICIES} policies of one file, but for the one that is wrong`, async () => {
        const file = join(dir, 'policies.yaml');
        writeFileSync(file, manifest);
        const config = await server.kubeconfigFile(dir);
        const path = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';
        const watch = await client.watch(`${path}?watch=true`);
        const begin = performance.now();
        // The small server runs in this process, so kubectl must not block it.
        const { status, stdout, stderr } = await run(['--kubeconfig', config, 'apply', '-f', file]);
        console.log(
          `kubectl apply of ${POLICIES} policies, ${title}: ${((performance.now() - begin) / 1000).toFixed(1)} s`,
        );
        expect(status).toBe(1);
        expect(stderr).toMatch(/NetworkPolicy.* cannot be handled as a NetworkPolicy: .*spec\.ingress/);
        expect(stdout.match(/ created$/gm)).toHaveLength(POLICIES - 1);
        const { items } = (await client.get(path)).body;
        expect(items).toHaveLength(POLICIES - 1);
        expect(items.map((o: Json) => o.metadata.name)).not.toContain(`p${BAD}`);
        await watch.until((events) => events.length === POLICIES - 1);
        watch.close();
      });
    },
  );
