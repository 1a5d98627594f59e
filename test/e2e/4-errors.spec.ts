import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ProblemView, ROUTES } from '@heddle/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { listNetns } from '../../apps/lab/src/host/netns.js';
import { netnsPath } from '../../apps/lab/src/host/paths.js';
import { findProcesses } from '../../apps/lab/src/host/processes.js';
import { ROOT, TestLab, until } from '../support/lab.js';

const lab = new TestLab();

beforeAll(async () => {
  await lab.up(join(ROOT, 'test/e2e/fixtures/network'));
}, 180_000);
afterAll(() => lab.down());

const problems = () => lab.api.get(ROUTES.problems, z.array(ProblemView));

describe('manifests', () => {
  it('a broken file is reported with file, line and reason; its objects stay as they were', async () => {
    lab.writeManifest('policy.yaml', policy);
    await until('the policy is known', async () => (await lab.status()).counts.policies === 1);
    lab.writeManifest('policy.yaml', `${policy}\n  egress: [ {\n`);
    await until('the problem is reported', async () => (await problems()).some((p) => p.severity === 'error'));
    const [problem] = (await problems()).filter((p) => p.severity === 'error');
    expect(problem).toMatchObject({ file: expect.stringContaining('policy.yaml'), line: expect.any(Number) });
    expect(problem?.reason).not.toBe('');
    expect((await lab.status()).counts.policies).toBe(1);
    lab.removeManifest('policy.yaml');
    await until('file gone: policy gone, problem gone', async () => {
      return (await lab.status()).counts.policies === 0 && (await problems()).every((p) => p.severity !== 'error');
    });
  });

  it('a kind that is not known is skipped with a warning', async () => {
    lab.writeManifest('odd.yaml', 'apiVersion: example.com/v1\nkind: Carpet\nmetadata: { name: x, namespace: net }\n');
    await until('the warning is there', async () =>
      (await problems()).some((p) => p.severity === 'warning' && p.reason.includes('Carpet')),
    );
    lab.removeManifest('odd.yaml');
  });
});

const policy = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: p, namespace: net }
spec:
  podSelector: { matchLabels: { app: three } }
  policyTypes: [Ingress]`;

/** Runs heddle-cni as kubelet does. */
async function cni(
  env: Record<string, string>,
  stdin: string,
): Promise<{ code: number; body: Record<string, unknown> }> {
  const child = spawn(join(ROOT, 'apps/node-agent/dist/heddle-cni'), { env: { PATH: process.env.PATH ?? '', ...env } });
  child.stdin.end(stdin);
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (d: string) => {
    out += d;
  });
  const code = await new Promise<number>((r) => child.on('close', (c) => r(c ?? -1)));
  return { code, body: out === '' ? {} : (JSON.parse(out) as Record<string, unknown>) };
}

describe('CNI input', () => {
  const socket = join(lab.nodeDir('node1'), 'agent.sock');
  const conf = (more: object = {}) =>
    JSON.stringify({ cniVersion: '1.0.0', name: 'heddle', type: 'heddle-cni', socket, ...more });
  const add = {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'e2e-bad-input',
    CNI_NETNS: '/run/netns/does-not-exist',
    CNI_IFNAME: 'eth0',
    CNI_PATH: join(ROOT, 'apps/node-agent/dist'),
    CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=net;K8S_POD_NAME=one-a',
  };
  const rows = [
    ['input that is not JSON', add, '{ not json', 6],
    ['input without a name', add, JSON.stringify({ cniVersion: '1.0.0', type: 'heddle-cni', socket }), 7],
    ['a version from the future', add, conf({ cniVersion: '9.9.9' }), 1],
    ['no container id', { ...add, CNI_CONTAINERID: '' }, conf(), 4],
    ['no pod name', { ...add, CNI_ARGS: 'IgnoreUnknown=1' }, conf(), 4],
  ] as const;
  it.each(rows)('%s is refused with its code and a sentence', async (_name, env, stdin, code) => {
    const r = await cni(env, stdin);
    expect(r.code).not.toBe(0);
    expect(r.body).toMatchObject({ code, msg: expect.stringMatching(/\w+ \w+/) });
  });

  it('a port that cannot be added leaves no veth, no OVS port and no lease', async () => {
    const links = async () =>
      (await lab.run('ip', ['-n', lab.netns('node1'), '-br', 'link'])).stdout.split('\n').length;
    const before = { links: await links(), attached: (await lab.status()).counts.attached };
    await lab.must('ip', ['netns', 'add', `${lab.paths.prefix}spare`]);
    try {
      lab.writeManifest(
        'spare.yaml',
        'apiVersion: v1\nkind: Pod\nmetadata: { name: spare, namespace: net }\nspec: { nodeName: not-a-node, containers: [{ name: c, image: heddle/echo }] }\n',
      );
      await until('the pod is known', async () => (await lab.podViews()).some((p) => p.name === 'spare'));
      const r = await cni(
        {
          ...add,
          CNI_NETNS: '/run/netns/does-not-exist',
          CNI_CONTAINERID: 'e2e-spare',
          CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=net;K8S_POD_NAME=spare',
        },
        conf(),
      );
      expect(r.code).not.toBe(0);
      expect(r.body).toMatchObject({ code: expect.any(Number), msg: expect.stringMatching(/\w+ \w+/) });
      expect({ links: await links(), attached: (await lab.status()).counts.attached }).toEqual(before);
    } finally {
      lab.removeManifest('spare.yaml');
      await lab.must('ip', ['netns', 'del', `${lab.paths.prefix}spare`]);
    }
  });
});

describe('the lab', () => {
  it('leaves nothing behind when everything of it was killed before "down"', async () => {
    const namespaces = (await listNetns(lab.paths)).map(netnsPath);
    const processes = await findProcesses(lab.paths, namespaces);
    // Controller, kubelet part, three times database, switch and agent, and a program in each pod.
    expect(processes.length).toBeGreaterThan(15);
    for (const { pid } of processes)
      try {
        process.kill(pid, 'SIGKILL');
      } catch (e) {
        // A helper that had something short to do.
        if ((e as NodeJS.ErrnoException).code !== 'ESRCH') throw e;
      }
    await lab.down();
    expect((await lab.run('ip', ['netns', 'list'])).stdout).not.toContain(lab.paths.prefix);
    expect(await findProcesses(lab.paths, [])).toEqual([]);
    expect((await lab.run('sh', ['-c', `grep -c ${lab.paths.prefix} /proc/mounts || true`])).stdout.trim()).toBe('0');
  });
});
