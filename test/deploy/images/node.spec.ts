import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Attributes, type KubeApi, startKubeApi } from '../../support/kube-api/index.js';
import { build, DEPLOY, type KubeObject } from '../kustomize.js';
import { allows, grantsOf, grantText } from '../rbac.js';
import { Kubelet, type RunningPod, until } from './kubelet.js';

const IMAGES = process.env.HEDDLE_IMAGES;
const ACCOUNT = 'system:serviceaccount:heddle-system:heddle-controller';
const CONF_DIR = '/etc/cni/net.d';
const NODE = { name: 'node1', ip: '172.31.97.1' };

/** What the container files state for their images. */
const IMAGE_CONFIG = {
  controller: {
    entrypoint: ['heddle-controller'],
    env: { HEDDLE_CONTROLLER_URL: 'unix:/run/heddle/api.sock' },
    user: 65532,
  },
  agent: { entrypoint: ['heddle-agent'], env: {}, user: 0 },
} as const;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

describe.skipIf(IMAGES === undefined)('the manifests, run from the images', () => {
  const objects = build(join(DEPLOY, 'overlays/userspace-datapath'));
  const grants = grantsOf(objects, 'heddle-system', 'heddle-controller');
  const workload = (name: string) => objects.find((o) => o.spec?.template !== undefined && o.metadata.name === name);
  const refused: Attributes[] = [];
  const pods = new Map<string, RunningPod>();
  let api: KubeApi;
  let kubelet: Kubelet;
  let dir: string;

  const pod = (name: string): RunningPod => {
    const found = pods.get(name);
    if (found === undefined) throw new RangeError(`no pod ${name}`);
    return found;
  };
  const start = async (name: string) => {
    pods.set(name, await kubelet.start(workload(name)));
  };
  const ready = (name: string) => until(`${name} to be ready`, () => pod(name).ready());
  const heddle = (...argv: string[]) => pod('heddle-controller').exec('controller', 'heddle', ...argv);

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'hdimg-'));
    const token = 'the-token-of-the-service-account';
    api = await startKubeApi({
      tokens: { [token]: ACCOUNT },
      endpointSlices: true,
      authorize: (asked) => {
        const allowed = asked.user !== ACCOUNT || grants.some((grant) => allows(grant, asked));
        if (!allowed) refused.push(asked);
        return allowed;
      },
    });
    const ca = /certificate-authority-data: "?([A-Za-z0-9+/=]+)/.exec(api.kubeconfig())?.[1] ?? '';
    kubelet = new Kubelet({
      api,
      node: NODE,
      apiCa: Buffer.from(ca, 'base64').toString(),
      tokenOf: (account) => (account === 'heddle-controller' ? token : undefined),
      dir,
      images(image) {
        const name = image.includes('controller') ? 'controller' : 'agent';
        const { entrypoint, env, user } = IMAGE_CONFIG[name];
        return { rootfs: join(IMAGES ?? '', name), entrypoint, env: { PATH, ...env }, user };
      },
    });
    const served = ['Namespace', 'CustomResourceDefinition', 'ServiceAccount', 'ConfigMap', 'Service'];
    for (const object of objects.filter(({ kind }) => served.includes(kind))) api.put(object);
    api.put({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: NODE.name, labels: { 'kubernetes.io/hostname': NODE.name } },
      status: { addresses: [{ type: 'InternalIP', address: NODE.ip }] },
    });
    standInForKubeProxy(api);
  });

  afterAll(async () => {
    for (const running of pods.values()) await running.stop();
    await api?.stop();
  });

  it('starts everything at once, as a cluster does', async () => {
    const started = performance.now();
    await Promise.all(['heddle-agent', 'heddle-openvswitch', 'heddle-controller'].map(start));
    await Promise.all(['heddle-openvswitch', 'heddle-controller', 'heddle-agent'].map(ready));
    await until('the network configuration', async () => existsSync(join(CONF_DIR, '10-heddle.conflist')));
    console.log(`network after ${((performance.now() - started) / 1000).toFixed(1)} s`);
  });

  it('has one whole network configuration, and what it names', () => {
    expect(readdirSync(CONF_DIR)).toEqual(['10-heddle.conflist']);
    const { plugins } = JSON.parse(readFileSync(join(CONF_DIR, '10-heddle.conflist'), 'utf8'));
    for (const { type } of plugins) expect(statSync(join('/opt/cni/bin', type)).mode & 0o111).toBe(0o111);
    expect(existsSync('/opt/heddle/node')).toBe(true);
  });

  it('runs the controller as nobody, and the agent with two capabilities', async () => {
    const status = async (name: string, container: string) => {
      const text = readFileSync(`/proc/${await pod(name).pid(container)}/status`, 'utf8');
      const field = (key: string) => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(text)?.[1];
      return [field('Uid')?.split(/\s+/)[0], field('CapEff'), field('CapBnd'), field('NoNewPrivs')];
    };
    const none = '0000000000000000';
    // Bits 12 (NET_ADMIN) and 21 (SYS_ADMIN) of capability(7).
    const two = ((1n << 12n) | (1n << 21n)).toString(16).padStart(16, '0');
    expect(await status('heddle-controller', 'controller')).toEqual(['65532', none, none, '1']);
    expect(await status('heddle-agent', 'agent')).toEqual(['0', two, two, '1']);
    expect(await status('heddle-openvswitch', 'ovsdb-server')).toEqual(['0', none, none, '1']);
  });

  it('gives pods a network: they reach each other and a service, until a policy forbids it', async () => {
    api.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    const a = await addPod(api, 'shop', 'a');
    const b = await addPod(api, 'shop', 'b');
    expect(a.ip).toMatch(/^10\.244\./);
    expect(ping(a, b)).toBe(true);
    await expect(heddle('status', '--wait')).resolves.toMatch(/node1|realized/);
    api.put({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'closed', namespace: 'shop' },
      spec: { podSelector: {}, policyTypes: ['Ingress'] },
    });
    await until('the policy to be seen', async () => (await heddle('policies')).includes('closed'));
    await heddle('status', '--wait');
    expect(ping(a, b)).toBe(false);
    // Its status says that it is denied.
    await expect(heddle('explain', 'shop/a', 'shop/b', 'tcp/80')).rejects.toMatchObject({
      code: 2,
      stdout: expect.stringContaining('isolated for ingress by shop/closed'),
    });
    api.remove('networkpolicies', 'closed', 'shop');
    await until('the policy to go', async () => ping(a, b));
  });

  it('answers the commands of docs/troubleshoot.md', async () => {
    api.put({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's', namespace: 'shop' },
      spec: { selector: { app: 'b' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await until('the service', async () => (await heddle('services')).includes('shop'));
    const text = readFileSync(join(DEPLOY, '../docs/troubleshoot.md'), 'utf8');
    const commands = [
      ...text.matchAll(/^ {4}kubectl -n heddle-system exec (?:deploy|ds)\/(\S+)(?: -c (\S+))? -- (.*)$/gm),
    ].map(([, name = '', container, line = '']) => {
      const first = workload(name)?.spec.template.spec.containers[0].name as string;
      const filled = line
        .replaceAll('NAMESPACE/POD', 'shop/a')
        .replaceAll('NAMESPACE/SERVICE', 'shop/s')
        .replaceAll('NAMESPACE/NAME', 'shop/closed')
        .replaceAll(/\bNODE\b/g, NODE.name);
      return { name, container: container ?? first, argv: filled.split(' ') };
    });
    expect(commands.length).toBeGreaterThan(8);
    for (const { name, container, argv } of commands) {
      // 2: "no" as an answer; the service has no ready endpoint.
      const status = await pod(name)
        .exec(container, ...argv)
        .then(
          () => 0,
          (e) => e.code,
        );
      expect([0, 2], argv.join(' ')).toContain(status);
    }
  });

  it('reads the service by its address from the node, past the route to its own gateway', () => {
    const ip = api.object('services', 'heddle-controller', 'heddle-system')?.spec.clusterIP;
    expect(execFileSync('ip', ['route', 'get', ip], { encoding: 'utf8' })).toContain('dev heddle0');
    // The agent's connection, which it made anew since that route is there: it is registered and ready.
    expect(() => execFileSync('timeout', ['5', 'bash', '-c', `exec 3<>/dev/tcp/${ip}/6644`])).not.toThrow();
  });

  it('asks the API server for nothing that it may not', () => {
    expect(refused.map((asked) => `${grantText(asked)} ${asked.name ?? ''}`)).toEqual([]);
  });

  it('honours hostPorts and bandwidth by the plugins and programs that it brought', async () => {
    const limited = await addPod(api, 'shop', 'limited', {
      bandwidth: { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 16_000_000, egressBurst: 800_000 },
      portMappings: [{ hostPort: 30_999, containerPort: 8080, protocol: 'tcp' }],
    });
    const qdisc = execFileSync('ip', ['netns', 'exec', limited.netns, 'tc', 'qdisc', 'show', 'dev', 'eth0'], TEXT);
    expect(qdisc).toContain('tbf');
    expect(qdisc).toContain('rate 16Mbit');
    const answer = "require('http').createServer((q, a) => a.end('hello')).listen(8080)";
    const server = spawn('ip', ['netns', 'exec', limited.netns, process.execPath, '-e', answer]);
    try {
      // From outside of the node, and from the node itself.
      const get = (...prefix: string[]) =>
        execFileSync('nsenter', [...prefix, 'curl', '-s', '-m', '3', `http://${NODE.ip}:30999/`], TEXT);
      const from = (netns: string) => async () => {
        try {
          return get(`--net=/run/netns/${netns}`) === 'hello';
        } catch {
          return false;
        }
      };
      await until('an answer to the machine beside the node', from('underlay'));
      await until('an answer to the node', from('node1'));
      await until('an answer to another pod of the node', from('shop-a'));
    } finally {
      server.kill();
    }
    await removePod(limited);
    expect(execFileSync('iptables', ['-t', 'nat', '-S'], TEXT)).not.toContain('30999');
  });

  it('keeps its network configuration over a restart of the agent, and works again', async () => {
    await pod('heddle-agent').stop();
    expect(existsSync(join(CONF_DIR, '10-heddle.conflist'))).toBe(true);
    await start('heddle-agent');
    await ready('heddle-agent');
    const c = await addPod(api, 'shop', 'c');
    const d = await addPod(api, 'shop', 'd');
    expect(ping(c, d)).toBe(true);
    for (const one of [c, d]) await removePod(one);
  });

  it('does not leave while pods are attached, and leaves nothing afterwards', async () => {
    const leaving = build(join(DEPLOY, 'uninstall'))[0] as KubeObject;
    await pod('heddle-agent').stop();
    pods.delete('heddle-agent');
    const early = await kubelet.runInit(leaving);
    expect(early.status).toBe(1);
    expect(early.output).toMatch(/2 pods are attached to this node \(shop\/a, shop\/b\): drain it first/);
    expect(existsSync(join(CONF_DIR, '10-heddle.conflist'))).toBe(true);
    await start('heddle-agent');
    await ready('heddle-agent');
    for (const name of ['a', 'b'])
      await removePod({ namespace: 'shop', name, ip: '', netns: `shop-${name}`, runtimeConfig: {} });
    await pod('heddle-agent').stop();
    pods.delete('heddle-agent');
    const { status, output } = await kubelet.runInit(leaving);
    expect({ status, output }).toMatchObject({ status: 0 });
    expect(readdirSync(CONF_DIR)).toEqual([]);
    expect(existsSync('/opt/cni/bin/heddle-cni')).toBe(false);
    expect(readdirSync('/opt/heddle')).toEqual([]);
    expect(execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })).not.toContain('heddle');
    const links = execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' });
    expect(links).not.toMatch(/br-int|heddle0|hd[0-9a-f]{13}/);
    expect((await kubelet.runInit(leaving)).status).toBe(0);
  });
});

const TEXT = { encoding: 'utf8' } as const;

/** The rules by which kube-proxy leads connections of the node itself to the only endpoint of the controller's Service. */
function standInForKubeProxy(api: KubeApi): void {
  const ip = api.object('services', 'heddle-controller', 'heddle-system')?.spec.clusterIP;
  const rules = `table ip stand-in {
    chain output { type nat hook output priority -100; ip daddr ${ip} dnat to ${NODE.ip}; }
  }`;
  execFileSync('nft', ['-f', '-'], { input: rules });
}

interface AttachedPod {
  readonly namespace: string;
  readonly name: string;
  readonly netns: string;
  readonly ip: string;
  readonly runtimeConfig: RuntimeConfig;
}

/** By capability. */
type RuntimeConfig = Readonly<Record<string, unknown>>;

async function addPod(
  api: KubeApi,
  namespace: string,
  name: string,
  runtimeConfig: RuntimeConfig = {},
): Promise<AttachedPod> {
  const stored = api.put({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: name } },
    spec: { nodeName: NODE.name, containers: [{ name: 'c', image: 'x' }] },
  });
  const netns = `${namespace}-${name}`;
  execFileSync('ip', ['netns', 'add', netns]);
  execFileSync('ip', ['-n', netns, 'link', 'set', 'lo', 'up']);
  const result = await callChain('ADD', { namespace, name, netns, ip: '', runtimeConfig }, stored.metadata.uid);
  const ip = result.ips[0].address.split('/')[0];
  return { namespace, name, netns, ip, runtimeConfig };
}

async function removePod(pod: AttachedPod): Promise<void> {
  await callChain('DEL', pod, '');
  execFileSync('ip', ['netns', 'del', pod.netns]);
}

/** The result of ADD is handed to DEL. */
const results = new Map<string, unknown>();

/** Every plugin of the list, one after another (DEL: backwards), each with the result of the one before, as libcni does. */
async function callChain(command: 'ADD' | 'DEL', pod: AttachedPod, uid: string) {
  const { namespace, name, netns } = pod;
  const { cniVersion, name: network, plugins } = JSON.parse(readFileSync(join(CONF_DIR, '10-heddle.conflist'), 'utf8'));
  // biome-ignore lint/suspicious/noExplicitAny: a CNI result
  let result: any;
  for (const plugin of command === 'ADD' ? plugins : plugins.toReversed()) {
    // Each plugin is handed what it says that it can do.
    const handed = Object.entries(pod.runtimeConfig).filter(([key]) => plugin.capabilities?.[key] === true);
    const runtimeConfig = Object.fromEntries(handed);
    const prevResult = result ?? results.get(netns);
    const stdin = JSON.stringify({
      ...plugin,
      cniVersion,
      name: network,
      runtimeConfig,
      ...(prevResult && { prevResult }),
    });
    const env = {
      PATH,
      CNI_COMMAND: command,
      CNI_CONTAINERID: netns,
      CNI_NETNS: `/run/netns/${netns}`,
      CNI_IFNAME: 'eth0',
      CNI_PATH: '/opt/cni/bin',
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=x;K8S_POD_UID=${uid}`,
    };
    const output = await call(join('/opt/cni/bin', plugin.type), env, stdin);
    if (output.trim() !== '') result = JSON.parse(output);
  }
  if (command === 'ADD') results.set(netns, result);
  else results.delete(netns);
  return result;
}

function call(file: string, env: NodeJS.ProcessEnv, stdin: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (part) => {
      stdout += part;
    });
    child.on('error', reject);
    child.on('close', (status) =>
      status === 0 ? resolve(stdout) : reject(new Error(`${file} (${status}): ${stdout}`)),
    );
    child.stdin.end(stdin);
  });
}

function ping(from: AttachedPod, to: AttachedPod): boolean {
  try {
    execFileSync('ip', ['netns', 'exec', from.netns, 'ping', '-c', '1', '-W', '2', to.ip], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
