import { readdirSync, readFileSync } from 'node:fs';
import { Attachment, ExplainView, NodeConfig, PodView, ProblemView, path, ROUTES } from '@heddle/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { type Harness, startHarness } from '../../apps/controller/src/testing/harness.js';
import { parseExpectation } from '../../apps/lab/src/probe/matrix.js';

// The example of cluster policies, through the whole controller: what `heddle explain` says of each pair of pods is what its
// table says. `heddle-lab up --manifests apps/lab/examples/tiers` measures the same table.
const EXAMPLE = new URL('../../apps/lab/examples/tiers/', import.meta.url);
const { columns, rows } = parseExpectation(readFileSync(new URL('reachability.txt', EXAMPLE), 'utf8'));

let folder: TestFolder;
let h: Harness;
beforeAll(async () => {
  folder = new TestFolder();
  for (const file of readdirSync(EXAMPLE).filter((f) => f.endsWith('.yaml')))
    folder.write(file, readFileSync(new URL(file, EXAMPLE), 'utf8'));
  h = await startHarness(folder);
  const pods = await h.client.get(ROUTES.pods, z.array(PodView));
  for (const [i, { namespace, name }] of pods.entries()) {
    const node = `node${1 + (i % 2)}`;
    const body = { encapIp: `172.31.99.${1 + (i % 2)}`, addresses: [], underlayMtu: 1500, datapathType: 'netdev' };
    await h.client.put(path(ROUTES.agentNode, node), NodeConfig, { body });
    const attach = { node, containerId: name, ifname: 'eth0', namespace, pod: name };
    await h.client.post(ROUTES.agentAttach, Attachment, { body: attach });
  }
});
afterAll(async () => {
  await h?.stop();
  folder.remove();
});

it('has nothing wrong but that its cluster has no name server', async () => {
  const object = { kind: 'ClusterNetworkPolicy', namespace: '', name: 'payments' };
  const reason = expect.stringContaining('there is no service kube-system/kube-dns');
  const problems = () => h.client.get(ROUTES.problems, z.array(ProblemView));
  expect(await problems()).toMatchObject([{ severity: 'warning', object, reason }]);
  const dns = '{ name: kube-dns, namespace: kube-system }\nspec: { ports: [{ port: 53, protocol: UDP }] }\n';
  folder.write('dns.yaml', `apiVersion: v1\nkind: Service\nmetadata: ${dns}`);
  await expect.poll(problems).toEqual([]);
});

const cells = rows.flatMap(({ from, cells }) =>
  cells.flatMap((cell, i) => (cell === '-' ? [] : [[from, columns[i] ?? '', cell] as const])),
);
it.each(cells)('%s -> %s: %s', async (from, column, cell) => {
  const [, to = '', port = ''] = /^(.*):(\d+)\/tcp$/.exec(column) ?? [];
  const query = { from, to, protocol: 'tcp', port };
  const { verdict, paths } = await h.client.get(ROUTES.explain, ExplainView, { query });
  expect(verdict).toBe(cell === 'yes' ? 'allowed' : 'denied');
  expect(paths.map((p) => p.family).sort()).toEqual([4, 6]);
  if (cell === 'yes') return;
  const objects = paths.flatMap((p) => p.decisions.flatMap((d) => d.objects.map((o) => `${o.kind}/${o.name}`)));
  const guilty = from === 'payments/ledger' || to === 'payments/ledger' ? 'payments' : 'closed-by-default';
  expect(objects).toContain(`ClusterNetworkPolicy/${guilty}`);
});
