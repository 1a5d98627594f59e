import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LabStatus, labStatus } from '../../apps/lab/src/commands/status.js';
import { KUBELET } from '../../apps/lab/src/host/services.js';
import { readKubelet } from '../../apps/lab/src/host/state.js';
import { HEDDLE_LAB, ROOT, TestLab, until } from '../support/lab.js';

const lab = new TestLab();
const SHOP = join(ROOT, 'apps/lab/examples/shop');
const status = () => labStatus(lab.paths);
const told = async (): Promise<LabStatus> => JSON.parse((await lab.must(HEDDLE_LAB, ['status', '-o', 'json'])).stdout);
const pids = (s: LabStatus) => [
  s.controller.pid,
  s.kubelet.pid,
  ...s.nodes.flatMap((n) => [n.ovsdbPid, n.vswitchdPid, n.agentPid]),
  ...s.pods.flatMap((p) => p.containers.map((c) => c.pid)),
];
const names = (s: LabStatus) => s.pods.map((p) => `${p.namespace}/${p.name}`);

let first = '';
beforeAll(async () => {
  await lab.down();
  const up = await lab.lab('up', '--manifests', SHOP);
  first = `${up.stdout}\n${up.stderr}\nexit ${up.code}`;
}, 180_000);
afterAll(() => lab.down());

describe('the demo', () => {
  it('is reachable as its policies say, measured with real connections', () => {
    expect(first).toContain('As expected: every cell is equal to');
    expect(first).toMatch(/exit 0$/);
  });

  it('the commands that `up` suggests work', async () => {
    const suggested = [...first.matchAll(/^ {2}(?:HEDDLE_CONTROLLER_URL=\S+ )?bin\/heddle (.*)$/gm)].map(
      (m) => m[1] ?? '',
    );
    expect(suggested).toHaveLength(3);
    const outcomes = await Promise.all(suggested.map((command) => lab.heddle(...command.split(' '))));
    // The first explains a denied connection, the second an allowed one, the third shows flows.
    expect(outcomes.map((o) => o.code)).toEqual([2, 0, 0]);
    expect(outcomes[0]?.stdout).toContain('NetworkPolicy/shop-core/default-deny');
    expect(outcomes[2]?.stdout).toContain('NetworkPolicy/shop-core/');
  });

  it('`up` again finds everything running and starts nothing', async () => {
    const before = pids(await told());
    const again = await lab.lab('up');
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('As expected') });
    expect(pids(await told())).toEqual(before);
  });

  it('`up` says so, loudly, when the matrix is not the expected one', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'heddle-shop-'));
    try {
      cpSync(SHOP, copy, { recursive: true });
      const file = join(copy, 'reachability.txt');
      // The first cell: visitor -> frontend is open.
      writeFileSync(file, readFileSync(file, 'utf8').replace(/(\nvisitors\/visitor +)yes/, '$1no'));
      const up = await lab.lab('up', '--manifests', copy);
      expect(up.code).toBe(2);
      expect(up.stdout).toContain('NOT AS EXPECTED: 1 cells differ');
      expect(up.stdout).toContain('visitors/visitor -> shop-web/frontend:8080/tcp: expected no, measured yes');
    } finally {
      await lab.must(HEDDLE_LAB, ['up', '--no-matrix', '--manifests', SHOP]);
      rmSync(copy, { recursive: true });
    }
  });
});

describe('the kubelet part', () => {
  const deployment = (replicas: number, color: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: scaled, namespace: visitors }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: scaled } }
  template:
    metadata: { labels: { app: scaled, color: ${color} } }
    spec: { containers: [{ name: c, image: heddle/echo, ports: [{ containerPort: 8080 }] }] }
`;
  const scaled = async () => names(await status()).filter((n) => n.startsWith('visitors/scaled-'));

  it('follows files that are edited by hand: more pods, fewer pods, none', async () => {
    lab.writeManifest('scaled.yaml', deployment(3, 'red'));
    await until('three pods run', async () => (await scaled()).length === 3 && (await status()).healthy);
    const nodes = (await status()).pods.filter((p) => p.name.startsWith('scaled-')).map((p) => p.node);
    expect(new Set(nodes).size).toBe(3);
    const [gone] = (await status()).pods.filter((p) => p.name === 'scaled-2');
    lab.writeManifest('scaled.yaml', deployment(1, 'red'));
    await until('one pod is left', async () => (await scaled()).join() === 'visitors/scaled-0');
    const netns = (await lab.run('ip', ['netns', 'list'])).stdout;
    expect(netns).toContain(`${lab.paths.prefix}visitors-scaled-0`);
    expect(netns).not.toContain(gone?.netns ?? 'no such pod');
    lab.removeManifest('scaled.yaml');
    await until('none is left', async () => (await scaled()).length === 0);
  });

  it('leaves a pod alone whose labels change', async () => {
    const apply = (color: string) =>
      lab.must(HEDDLE_LAB, ['apply', lab.manifestFile('scaled.yaml', deployment(1, color))]);
    await apply('red');
    const before = (await status()).pods.find((p) => p.name === 'scaled-0');
    await apply('blue');
    await until('the controller shows the label', async () => {
      expect((await lab.podViews()).find((p) => p.name === 'scaled-0')?.labels).toMatchObject({ color: 'blue' });
      return true;
    });
    expect((await status()).pods.find((p) => p.name === 'scaled-0')).toEqual(before);
    await lab.must(HEDDLE_LAB, ['delete', 'scaled.yaml']);
  });

  it('restarts a program that ended, in the same sandbox', async () => {
    const pod = async () => (await status()).pods.find((p) => p.name === 'visitor');
    const before = await pod();
    process.kill(before?.containers[0]?.pid ?? 0, 'SIGKILL');
    await until('it runs again', async () => (await pod())?.containers[0]?.restarts === 1);
    expect(await pod()).toMatchObject({ netns: before?.netns, ips: before?.ips });
    const address = before?.ips[0] ?? '';
    await until('it answers again', async () => {
      const target = (await lab.pod('shop-web/frontend-0')).ips[0] ?? '';
      expect(address).not.toBe('');
      return (
        (await lab.probeOne('visitors/visitor', { protocol: 'tcp', address: target, port: 8080 })).outcome === 'ok'
      );
    });
  });

  it('takes over the running pods after it was killed', async () => {
    const before = await status();
    await lab.kill(KUBELET);
    lab.writeManifest('scaled.yaml', deployment(1, 'red'));
    await until('the controller has read of it', async () => (await lab.podViews()).some((p) => p.name === 'scaled-0'));
    const up = await lab.lab('up', '--no-matrix');
    expect(up.code).toBe(0);
    const after = await status();
    expect(names(after)).toContain('visitors/scaled-0');
    expect(after.pods.filter((p) => p.name !== 'scaled-0')).toEqual(before.pods);
    lab.removeManifest('scaled.yaml');
    await until('it is gone', async () => (await scaled()).length === 0);
  });

  it('says why a pod cannot run', async () => {
    const lost =
      'apiVersion: v1\nkind: Pod\nmetadata: { name: lost, namespace: visitors }\nspec: { nodeName: nowhere, containers: [{ name: c, image: heddle/echo }] }\n';
    // The kubelet part has had time to look at it before "apply" waits for its short time.
    lab.writeManifest('lost.yaml', lost);
    await until('it is refused', async () => (await readKubelet(lab.paths)).refused.length > 0);
    const applied = await lab.lab('apply', lab.manifestFile('lost.yaml', lost), '--timeout', '1');
    expect(applied.code).toBe(1);
    expect(applied.stderr).toContain('visitors/lost (no node "nowhere" in this lab (node1, node2, node3))');
    await lab.must(HEDDLE_LAB, ['delete', 'lost.yaml']);
  });
});

describe('heddle-lab down', () => {
  it('leaves processes alone that the lab did not start, and says so', async () => {
    const { spawn } = await import('node:child_process');
    const guest = spawn('nsenter', [`--net=/run/netns/${lab.netns('node1')}`, 'sleep', '300'], { stdio: 'ignore' });
    await until('it runs there', async () =>
      (await lab.run('ip', ['netns', 'identify', String(guest.pid)])).stdout.includes(lab.netns('node1')),
    );
    const down = await lab.lab('down');
    expect(down.code).toBe(0);
    expect(down.stderr).toContain(`left alone, the lab did not start it: process ${guest.pid}`);
    expect(guest.exitCode).toBeNull();
    guest.kill('SIGKILL');
    expect((await lab.run('ip', ['netns', 'list'])).stdout).not.toContain(lab.paths.prefix);
    expect(await lab.lab('status')).toMatchObject({ code: 2, stdout: expect.stringContaining('not running') });
    expect(await lab.lab('down')).toMatchObject({ code: 0, stderr: expect.stringContaining('nothing to remove') });
  });
});
