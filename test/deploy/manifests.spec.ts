import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VARIABLES as CONTROLLER_VARIABLES } from '../../apps/controller/src/config/config.js';
import { VARIABLES as AGENT_VARIABLES } from '../../apps/node-agent/src/daemon/environment.js';
import { COMMANDS } from '../../apps/node-agent/src/install/commands.js';
import { SECRETS } from '../../deploy/setup/src/setup.js';
import { build, DEPLOY, identity, type KubeObject } from './kustomize.js';

const OVERLAYS = readdirSync(join(DEPLOY, 'overlays')).map((name) => `overlays/${name}`);
const BUILDS = ['.', ...OVERLAYS, 'uninstall'];
const WORKLOADS = ['Deployment', 'DaemonSet'];

// biome-ignore lint/suspicious/noExplicitAny: as in kustomize.ts
type Any = any;
const podSpecs = (objects: readonly KubeObject[]) =>
  objects.filter(({ kind }) => WORKLOADS.includes(kind)).map((object) => ({ object, spec: object.spec.template.spec }));
const containersOf = (spec: Any): Any[] => [...(spec.initContainers ?? []), ...spec.containers];
const find = (objects: readonly KubeObject[], kind: string, name: string) =>
  objects.find((object) => object.kind === kind && object.metadata.name === name);

const kubectl = spawnSync('kubectl', ['kustomize', '--help']).status === 0;

describe.each(BUILDS)('deploy/%s', (dir) => {
  const objects = build(join(DEPLOY, dir));
  const whole = dir === 'uninstall' ? [...objects, ...build(DEPLOY)] : objects;

  it.skipIf(!kubectl)('is what kubectl makes of it (skipped: no kubectl)', { timeout: 30_000 }, async () => {
    const text = execFileSync('kubectl', ['kustomize', join(DEPLOY, dir)], { encoding: 'utf8' });
    const { parseAllDocuments } = await import('yaml');
    const theirs = parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
    const sorted = (list: readonly KubeObject[]) =>
      [...list].sort((a, b) => (identity(a) < identity(b) ? -1 : 1)).map((o) => withoutOrder(o));
    expect(sorted(objects)).toEqual(sorted(theirs));
  });

  it('names every object once, in the namespace that it makes', () => {
    const names = objects.map(identity);
    expect(names).toEqual([...new Set(names)]);
    const namespaces = objects.map(({ metadata }) => metadata.namespace).filter((n) => n !== undefined);
    expect([...new Set(namespaces)]).toEqual(['heddle-system']);
  });

  it('refers to what is there: accounts, ConfigMaps, Secrets, volumes', () => {
    const secrets = [...Object.values(SECRETS), 'heddle-database'] as string[];
    const wrong: string[] = [];
    for (const { object, spec } of podSpecs(objects)) {
      const say = (what: string) => wrong.push(`${object.metadata.name}: ${what}`);
      const account = spec.serviceAccountName;
      if (account !== undefined && find(whole, 'ServiceAccount', account) === undefined) say(`account ${account}`);
      const volumes: string[] = spec.volumes?.map((v: Any) => v.name) ?? [];
      if (new Set(volumes).size !== volumes.length) say('two volumes of one name');
      for (const volume of spec.volumes ?? []) {
        const sources = volume.projected?.sources ?? [volume];
        for (const { secret } of sources)
          if (secret !== undefined && !secrets.includes(secret.secretName ?? secret.name))
            say(`Secret ${secret.secretName}`);
      }
      const mounted = containersOf(spec).flatMap((c) => (c.volumeMounts ?? []).map((m: Any) => m.name));
      for (const name of new Set([...mounted, ...volumes]))
        if (!mounted.includes(name) || !volumes.includes(name)) say(`volume ${name} is not both defined and mounted`);
      for (const { envFrom = [], env = [] } of containersOf(spec)) {
        for (const { configMapRef } of envFrom)
          if (find(whole, 'ConfigMap', configMapRef.name) === undefined) say(`ConfigMap ${configMapRef.name}`);
        for (const { valueFrom } of env) {
          const secret = valueFrom?.secretKeyRef?.name;
          if (secret !== undefined && !secrets.includes(secret)) say(`Secret ${secret}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('sets only variables that the programs know', () => {
    const known: Record<string, readonly string[]> = {
      'heddle-controller': [...Object.keys(CONTROLLER_VARIABLES), 'HEDDLE_TLS_NAMES', 'HEDDLE_NODE_NAME'],
      'heddle-agent': Object.keys(AGENT_VARIABLES),
    };
    const unknown: string[] = [];
    for (const { spec } of podSpecs(objects))
      for (const { image, env = [], envFrom = [] } of containersOf(spec)) {
        const allowed = known[imageName(image)] ?? [];
        const names = [
          ...env.map((e: Any) => e.name),
          ...envFrom.flatMap((e: Any) => Object.keys(find(whole, 'ConfigMap', e.configMapRef.name)?.data ?? {})),
        ];
        unknown.push(...names.filter((name) => !allowed.includes(name)));
      }
    expect(unknown).toEqual([]);
  });

  it('uses our two images, of one version, and commands that they have', () => {
    const images = new Set<string>();
    for (const { spec } of podSpecs(objects))
      for (const { image, command, args } of containersOf(spec)) {
        images.add(image);
        if (command === undefined && args !== undefined) expect(Object.keys(COMMANDS)).toContain(args[0]);
      }
    for (const image of images) expect(image).toMatch(/^localhost\/heddle-(controller|agent):0\.1\.0$/);
  });

  it('gives containers no more than they say why', () => {
    const granted = podSpecs(objects).flatMap(({ spec }) =>
      containersOf(spec).flatMap((c) => {
        const { capabilities, privileged, readOnlyRootFilesystem } = c.securityContext;
        expect(readOnlyRootFilesystem, c.name).toBe(true);
        if (privileged !== true) expect(capabilities.drop, c.name).toEqual(['ALL']);
        return [[c.name, privileged === true ? 'privileged' : (capabilities.add ?? []).join(' ')]];
      }),
    );
    const expected: Record<string, string> = {
      'database-folder': 'CHOWN',
      setup: '',
      controller: '',
      renewal: '',
      prepare: 'SYS_MODULE',
      'ovsdb-server': '',
      'ovs-vswitchd': dir === 'overlays/userspace-datapath' ? 'privileged' : 'NET_ADMIN NET_RAW SYS_NICE',
      install: '',
      agent: 'NET_ADMIN SYS_ADMIN',
      uninstall: 'NET_ADMIN',
      done: '',
    };
    for (const [name, capabilities] of granted) expect(`${name}: ${capabilities}`).toBe(`${name}: ${expected[name]}`);
  });

  it('runs on nodes whose network is not there yet, and is not evicted first', () => {
    for (const { object, spec } of podSpecs(objects)) {
      expect(spec.hostNetwork, object.metadata.name).toBe(true);
      expect(spec.priorityClassName).toBe(
        object.kind === 'DaemonSet' ? 'system-node-critical' : 'system-cluster-critical',
      );
      const tolerated = (key: string) =>
        spec.tolerations.some((t: Any) => t.operator === 'Exists' && (t.key === undefined || t.key === key));
      expect(tolerated('node.kubernetes.io/not-ready')).toBe(true);
      expect(tolerated('node.kubernetes.io/network-unavailable')).toBe(true);
      expect(object.spec.selector.matchLabels).toEqual({
        'app.kubernetes.io/name': object.spec.template.metadata.labels['app.kubernetes.io/name'],
      });
    }
  });

  it('has no token of an account where none is needed', () => {
    for (const { object, spec } of podSpecs(objects))
      expect(spec.automountServiceAccountToken ?? true).toBe(object.metadata.name === 'heddle-controller');
  });
});

describe('ports', () => {
  const objects = build(DEPLOY);
  const [service, deployment, agent] = [
    find(objects, 'Service', 'heddle-controller'),
    find(objects, 'Deployment', 'heddle-controller'),
    find(objects, 'DaemonSet', 'heddle-agent'),
  ];
  const controller = deployment?.spec.template.spec.containers[0];
  const variable = (container: Any, name: string): string => container.env.find((e: Any) => e.name === name).value;

  it('of the Service, the container and the listeners are the same', () => {
    const container = Object.fromEntries(controller.ports.map((p: Any) => [p.name, p.containerPort]));
    for (const { name, port, targetPort } of service?.spec.ports ?? []) {
      expect(targetPort).toBe(name);
      // The switch takes the port of the listener and the host of the URL, so both must be the Service's.
      expect(port).toBe(container[name]);
    }
    expect(variable(controller, 'HEDDLE_OPENFLOW_LISTEN')).toBe(`ssl:0.0.0.0:${container.openflow}`);
    expect(variable(controller, 'HEDDLE_OVSDB_LISTEN')).toBe(`ssl:0.0.0.0:${container.ovsdb}`);
    expect(variable(controller, 'HEDDLE_API_LISTEN').split(',')).toEqual([
      `ssl:0.0.0.0:${container.api}`,
      `tcp:127.0.0.1:${container.probes}`,
      'unix:/run/heddle/api.sock',
    ]);
    expect(variable(agent?.spec.template.spec.containers[0], 'HEDDLE_CONTROLLER_URL')).toBe(
      `https://$(HEDDLE_CONTROLLER_SERVICE_HOST):${container.api}`,
    );
  });

  it('of probes are the loopback listener', () => {
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
      expect(controller[probe].httpGet).toMatchObject({ host: '127.0.0.1', port: 'probes' });
  });

  it('of the selector find the controller', () => {
    expect(deployment?.spec.template.metadata.labels).toMatchObject(service?.spec.selector);
  });
});

describe('paths that two programs must agree on', () => {
  const objects = build(DEPLOY);
  const volumes = (name: string) => find(objects, 'DaemonSet', name)?.spec.template.spec.volumes;
  const hostPath = (set: string, volume: string) => volumes(set).find((v: Any) => v.name === volume).hostPath.path;

  it.each([
    ['the socket of the switch', 'run', 'openvswitch', '/run/openvswitch'],
    ['the state of the agent, with the database of the switch below', 'database', 'state', '/var/lib/heddle'],
  ])('%s', (_, ofSwitch, ofAgent, path) => {
    expect(hostPath('heddle-openvswitch', ofSwitch)).toMatch(new RegExp(`^${path}(/|$)`));
    expect(hostPath('heddle-agent', ofAgent)).toBe(path);
  });

  it('the socket of the agent is at the same path for the host', () => {
    expect(hostPath('heddle-agent', 'run')).toBe('/run/heddle');
  });

  it('the certificate of the switch is where the agent says', () => {
    const mounts = (set: string, container: string) =>
      find(objects, 'DaemonSet', set)
        ?.spec.template.spec.containers.find((c: Any) => c.name === container)
        .volumeMounts.find((m: Any) => m.name === 'tls').mountPath;
    const paths = [
      mounts('heddle-agent', 'agent'),
      mounts('heddle-openvswitch', 'ovs-vswitchd'),
      mounts('heddle-openvswitch', 'ovsdb-server'),
    ];
    expect(new Set(paths)).toEqual(new Set(['/etc/heddle/tls']));
  });

  it('container files and scripts are there', () => {
    for (const name of ['controller.Containerfile', 'agent.Containerfile', 'base.sh', 'heddle-openvswitch'])
      expect(existsSync(join(DEPLOY, 'images', name))).toBe(true);
  });
});

/** The order of volumes, mounts and the like matters to nobody, and kustomize has its own; that of init containers matters. */
function withoutOrder(value: Any, field = ''): unknown {
  if (Array.isArray(value)) {
    const list = value.map((one) => withoutOrder(one)) as Any[];
    const key = ['volumes', 'env', 'containers'].includes(field)
      ? 'name'
      : field === 'volumeMounts'
        ? 'mountPath'
        : undefined;
    return key === undefined ? list : list.sort((a, b) => (a[key] < b[key] ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withoutOrder(child, key)]));
}

const imageName = (image: string): string => image.split('/').at(-1)?.split(':')[0] ?? '';
