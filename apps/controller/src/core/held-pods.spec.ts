import { Attachment, NodeConfig, path, ROUTES } from '@heddle/api';
import { nodeName } from '@heddle/compiler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestFolder } from '../testing/folder.js';
import { type Harness, startHarness } from '../testing/harness.js';

const object = (apiVersion: string, kind: string, name: string, metadata: object, spec?: object) =>
  JSON.stringify({ apiVersion, kind, metadata: { name, ...metadata }, spec });
const pod = (name: string, labels: object) =>
  object('v1', 'Pod', name, { namespace: 'shop', labels }, { containers: [{ name: 'c' }] });
/** Lets pods with a label in, so that its node has to know the identities of all of them. */
const guard = object(
  'networking.k8s.io/v1',
  'NetworkPolicy',
  'guard',
  { namespace: 'shop' },
  {
    podSelector: { matchLabels: { app: 'guard' } },
    ingress: [{ from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } }] }],
  },
);
const counting = (name: string, label: string) =>
  object(
    'networking.k8s.io/v1',
    'NetworkPolicy',
    name,
    { namespace: 'shop' },
    { podSelector: { matchLabels: { [label]: 'x' } } },
  );

describe('an attached pod keeps the identity that it has until switches know the new one', () => {
  let folder: TestFolder;
  let h: Harness;

  beforeEach(async () => {
    folder = new TestFolder();
    folder.write('namespace.json', object('v1', 'Namespace', 'shop', { labels: {} }));
    folder.write('a.json', pod('a', { app: 'a', 'pod-template-hash': 'x' }));
    folder.write('guard.json', `${pod('guard', { app: 'guard' })}\n---\n${guard}`);
    h = await startHarness(folder);
    for (const n of [1, 2]) {
      const body = { encapIp: `172.31.99.${n}`, addresses: [], underlayMtu: 1500, datapathType: 'netdev' };
      await h.client.put(path(ROUTES.agentNode, `node${n}`), NodeConfig, { body });
      h.switches.connect(`node${n}`);
      // As its driver does: what nobody asks for is not told.
      h.compiler.node(nodeName(`node${n}`));
    }
    for (const [i, name] of ['a', 'guard'].entries())
      await h.client.post(ROUTES.agentAttach, Attachment, {
        body: { node: `node${i + 1}`, containerId: name, ifname: 'eth0', namespace: 'shop', pod: name },
      });
    h.switches.automatic = false;
    h.switches.acknowledgeAll();
  });
  afterEach(async () => {
    await h.stop();
    folder.remove();
  });

  const held = () => h.compiler.fact('hold', 'shop/a') !== undefined;

  it.each<[name: string, file: string, text: string, held: boolean]>([
    ['labels of its own change', 'a.json', pod('a', { app: 'b', 'pod-template-hash': 'x' }), true],
    [
      'labels of its namespace change',
      'namespace.json',
      object('v1', 'Namespace', 'shop', { labels: { a: 'b' } }),
      true,
    ],
    ['a policy asks for a label that was not looked at', 'p.json', counting('p', 'pod-template-hash'), true],
    ['a policy asks for a label that was', 'p.json', counting('p', 'app'), false],
    ['labels change that nobody looks at', 'a.json', pod('a', { app: 'a', 'pod-template-hash': 'y' }), false],
  ])('when %s', async (_, file, text, expected) => {
    const { generation } = h.controller.runtime.engine;
    folder.write(file, text);
    await h.controller.runtime.source.refresh();
    expect(h.controller.runtime.engine.generation).toBe(generation + 1);
    expect(held()).toBe(expected);
    h.switches.acknowledgeAll();
    await expect.poll(held).toBe(false);
  });

  it('but not one that is attached anew', async () => {
    const key = { node: 'node1', containerId: 'a', ifname: 'eth0' };
    await h.controller.runtime.engine.detach(key);
    folder.write('a.json', pod('a', { app: 'b' }));
    await h.controller.runtime.source.refresh();
    await h.controller.runtime.engine.attach({ ...key, containerId: 'a2', namespace: 'shop', pod: 'a' });
    expect(held()).toBe(false);
  });
});
