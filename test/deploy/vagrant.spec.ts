import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { build, DEPLOY, readDocuments } from './kustomize.js';

const ROOT = resolve(DEPLOY, '..');
const has = (program: string, ...args: readonly string[]) => spawnSync(program, args).status === 0;
const cluster = parse(readFileSync(join(ROOT, 'vagrant/cluster.yaml'), 'utf8'));

const SCRIPTS = ['deploy', 'vagrant', 'test/deploy', 'apps/lab/setup', '.ci']
  .flatMap((dir) => readdirSync(join(ROOT, dir), { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((file) => /^#!\/bin\/sh\n/.test(readFileSync(file, 'utf8').slice(0, 16)) && !file.includes('/node_modules/'))
  .map((file) => relative(ROOT, file));

describe('shell scripts', () => {
  it('are found', () => {
    expect(SCRIPTS).toEqual(expect.arrayContaining(['deploy/images/heddle-openvswitch', 'vagrant/provision/node.sh']));
  });

  it.skipIf(!has('shellcheck', '--version')).each(SCRIPTS)(
    '%s (skipped: no shellcheck)',
    { timeout: 30_000 },
    (file) => {
      const { stdout, status } = spawnSync('shellcheck', ['--format=gcc', file], { cwd: ROOT, encoding: 'utf8' });
      expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    },
  );

  it.each(SCRIPTS)('%s can be read by sh', (file) => {
    execFileSync('sh', ['-n', file], { cwd: ROOT });
  });
});

describe('the virtual machines', () => {
  it('are one control plane and two workers, each with an address of its own', () => {
    const { nodes } = cluster;
    expect(nodes.map((node: { role: string }) => node.role)).toEqual(['control-plane', 'worker', 'worker']);
    for (const key of ['name', 'address'])
      expect(new Set(nodes.map((node: Record<string, string>) => node[key])).size).toBe(3);
  });

  it('have the ranges that the manifests have', () => {
    const config = build(DEPLOY).find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'heddle-controller',
    );
    expect([cluster.pod_cidr, cluster.service_cidr]).toEqual([
      config?.data.HEDDLE_CLUSTER_CIDR,
      config?.data.HEDDLE_SERVICE_CIDR,
    ]);
  });

  it('have a token that kubeadm takes', () => {
    expect(cluster.bootstrap_token).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/);
  });

  it.skipIf(!has('vagrant', '--version'))(
    'are understood by Vagrant (skipped: no vagrant)',
    { timeout: 60_000 },
    () => {
      const home = mkdtempSync(join(tmpdir(), 'hdvagrant-'));
      try {
        const env = {
          ...process.env,
          VAGRANT_HOME: home,
          VAGRANT_DOTFILE_PATH: join(home, 'dot'),
          VAGRANT_DEFAULT_PROVIDER: 'libvirt',
          VAGRANT_CHECKPOINT_DISABLE: '1',
        };
        const { stdout, stderr } = spawnSync('vagrant', ['validate'], {
          cwd: join(ROOT, 'vagrant'),
          env,
          encoding: 'utf8',
        });
        expect(stdout + stderr).toContain('Vagrantfile validated successfully');
      } finally {
        rmSync(home, { recursive: true, force: true });
      }
    },
  );

  it('are provisioned by scripts that are there', () => {
    const vagrantfile = readFileSync(join(ROOT, 'vagrant/Vagrantfile'), 'utf8');
    const steps = [...vagrantfile.matchAll(/%w\[([^\]]*)\]/g)].flatMap((match) => match[1]?.split(' ') ?? []);
    expect(steps.length).toBeGreaterThan(4);
    for (const step of steps) expect(existsSync(join(ROOT, `vagrant/provision/${step}.sh`)), step).toBe(true);
  });
});

describe('the smoke test', () => {
  it('uses manifests that are there, all in the namespace that it removes', () => {
    const script = readFileSync(join(DEPLOY, 'smoke-test.sh'), 'utf8');
    const files = readdirSync(join(DEPLOY, 'smoke'));
    for (const file of files) {
      expect(script).toContain(`$here/${file}`);
      for (const { kind, metadata } of readDocuments(join(DEPLOY, 'smoke', file)))
        expect(kind === 'Namespace' ? metadata.name : metadata.namespace).toBe('heddle-smoke');
    }
  });
});
