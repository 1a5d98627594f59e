import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KubeApi } from '../../support/kube-api/index.js';
import { runtimeConfig, type VolumeMount, writeFiles } from './oci.js';

const runFile = promisify(execFile);

// biome-ignore lint/suspicious/noExplicitAny: pod specs
type Any = any;

export interface Node {
  readonly name: string;
  readonly ip: string;
}

/** An image that is unpacked, and what its configuration says. */
export interface Image {
  readonly rootfs: string;
  readonly entrypoint: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: number;
}

export interface KubeletOptions {
  readonly api: KubeApi;
  readonly node: Node;
  /** What there is of an image. */
  readonly images: (image: string) => Image;
  /** PEM of the authority of the API server. */
  readonly apiCa: string;
  /** Bearer token of a service account. */
  readonly tokenOf: (account: string) => string | undefined;
  /** Folder for volumes and logs. */
  readonly dir: string;
}

/** A pod that runs. */
export interface RunningPod {
  exec(container: string, ...argv: readonly string[]): Promise<string>;
  log(container: string): string;
  /** Host pid of a container's first process. */
  pid(container: string): Promise<number>;
  /** Whether the probes of every container succeed. */
  ready(): Promise<boolean>;
  /** As a deletion: SIGTERM, then after the grace period SIGKILL. @throws Error that names what had to be killed */
  stop(): Promise<void>;
}

/** A container that was started. */
interface Running {
  readonly id: string;
  readonly child: ChildProcess;
  readonly user: string;
  readonly log: () => string;
}

/** So much of a kubelet as our own pods need. All of them use the network of the node. */
export class Kubelet {
  #count = 0;
  constructor(private readonly options: KubeletOptions) {}

  /** Runs the init containers of a workload, one after another until each succeeds, then its containers. */
  async start(workload: Any): Promise<RunningPod> {
    const { name, namespace } = workload.metadata;
    const spec = workload.spec.template.spec;
    const dir = mkdtempSync(join(this.options.dir, `${name}-`));
    this.#register(name, namespace, spec);
    const volumes = await this.#volumes(spec, namespace, dir, name);
    const shared = { spec, namespace, dir, volumes };
    for (const container of spec.initContainers ?? []) {
      const { child, log } = this.#run(container, shared);
      const status = await ended(child);
      if (status !== 0) throw new Error(`${name}/${container.name} ended with ${status}:\n${log()}`);
    }
    const running = new Map<string, Running>();
    for (const container of spec.containers) running.set(container.name, this.#run(container, shared));
    const of = (container: string) => {
      const found = running.get(container);
      if (found === undefined) throw new RangeError(`no container ${container}`);
      return found;
    };
    const exec = async (container: string, ...argv: readonly string[]) =>
      (await runFile('crun', [...CRUN, 'exec', '--user', of(container).user, of(container).id, ...argv], EXEC)).stdout;
    return {
      exec,
      log: (container) => of(container).log(),
      pid: async (container) => JSON.parse((await runFile('crun', [...CRUN, 'state', of(container).id])).stdout).pid,
      async ready() {
        for (const container of spec.containers) {
          const { child, log } = of(container.name);
          if (child.exitCode !== null) throw new Error(`${name}/${container.name} ended:\n${log()}`);
          for (const probe of [container.livenessProbe, container.readinessProbe])
            if (probe !== undefined && !(await succeeds(probe, container, exec))) return false;
        }
        return true;
      },
      async stop() {
        await Promise.all(
          [...running.values()].map(async ({ id, child }) => {
            if (child.exitCode !== null) return;
            const gone = ended(child);
            await runFile('crun', [...CRUN, 'kill', id, 'TERM']);
            let killed = false;
            const timer = setTimeout(
              () => {
                killed = true;
                void runFile('crun', [...CRUN, 'kill', id, 'KILL']).catch(() => undefined);
              },
              (spec.terminationGracePeriodSeconds ?? 30) * 1000,
            );
            await gone;
            clearTimeout(timer);
            if (killed) throw new Error(`${id} does not end at SIGTERM`);
          }),
        );
      },
    };
  }

  /** The pod as the API server knows it: tokens are bound to it. */
  #register(name: string, namespace: string, { hostNetwork, serviceAccountName, containers }: Any): void {
    const { api, node } = this.options;
    const spec = {
      nodeName: node.name,
      hostNetwork,
      serviceAccountName: serviceAccountName ?? 'default',
      containers: containers.map(({ name: container, image }: Any) => ({ name: container, image })),
    };
    api.remove('pods', name, namespace);
    api.put({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec });
  }

  /** Runs the init containers alone; gives status and output of the last one that was run. */
  async runInit(workload: Any): Promise<{ status: number | null; output: string }> {
    const spec = workload.spec.template.spec;
    const dir = mkdtempSync(join(this.options.dir, `${workload.metadata.name}-`));
    const shared = {
      spec,
      namespace: workload.metadata.namespace,
      dir,
      volumes: await this.#volumes(spec, workload.metadata.namespace, dir, workload.metadata.name),
    };
    let last = { status: 0 as number | null, output: '' };
    for (const container of spec.initContainers) {
      const { child, log } = this.#run(container, shared);
      last = { status: await ended(child), output: log() };
      if (last.status !== 0) break;
    }
    return last;
  }

  #run(container: Any, pod: { spec: Any; namespace: string; dir: string; volumes: Map<string, string> }): Running {
    const { spec, namespace, dir, volumes } = pod;
    const { images } = this.options;
    const image = images(container.image);
    const mounts: VolumeMount[] = (container.volumeMounts ?? []).map((mount: Any) => ({
      source: volumes.get(mount.name) ?? '',
      destination: mount.mountPath,
      readOnly: mount.readOnly === true,
      fromHost: mount.mountPropagation === 'HostToContainer',
    }));
    const account = volumes.get('kube-api-access');
    if (account !== undefined)
      mounts.push({ source: account, destination: ACCOUNT_PATH, readOnly: true, fromHost: false });
    const env = this.#environment(container, namespace, image.env);
    const entry: string[] = container.command ?? [...image.entrypoint];
    const args = [...entry, ...(container.args ?? [])].map((text) => expand(text, env));
    const id = `${spec.hostname ?? 'pod'}-${container.name}-${++this.#count}`;
    const bundle = join(dir, id);
    mkdirSync(bundle);
    const security = { runAsUser: image.user, ...spec.securityContext, ...container.securityContext };
    const config = runtimeConfig({
      rootfs: image.rootfs,
      args,
      env,
      mounts,
      security,
    });
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
    const logFile = join(dir, `${id}.log`);
    const out = openSync(logFile, 'a');
    const child = spawn('crun', [...CRUN, 'run', '--bundle', bundle, id], { stdio: ['ignore', out, out] });
    const user = `${security.runAsUser}:${security.runAsGroup ?? 0}`;
    return { id, child, user, log: () => readFileSync(logFile, 'utf8') };
  }

  #environment(container: Any, namespace: string, ofImage: Readonly<Record<string, string>>): Record<string, string> {
    const { api, node } = this.options;
    const env: Record<string, string> = { ...ofImage, ...this.#services(namespace) };
    for (const { configMapRef } of container.envFrom ?? [])
      Object.assign(env, api.object('configmaps', configMapRef.name, namespace)?.data);
    const fields: Record<string, string> = { 'spec.nodeName': node.name, 'status.hostIP': node.ip };
    for (const { name, value, valueFrom } of container.env ?? [])
      env[name] = valueFrom === undefined ? expand(value ?? '', env) : (fields[valueFrom.fieldRef.fieldPath] ?? '');
    return env;
  }

  /** Variables of services: kubelet gives those of the pod's namespace, and the API server. */
  #services(namespace: string): Record<string, string> {
    const { hostname, port } = new URL(this.options.api.url);
    const env: Record<string, string> = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    for (const { metadata, spec } of this.options.api.objects('services', { namespace })) {
      const prefix = metadata.name.toUpperCase().replaceAll('-', '_');
      env[`${prefix}_SERVICE_HOST`] = spec.clusterIP;
      env[`${prefix}_SERVICE_PORT`] = String(spec.ports[0].port);
      env[`${prefix}_PORT`] = `tcp://${spec.clusterIP}:${spec.ports[0].port}`;
    }
    return env;
  }

  async #volumes(spec: Any, namespace: string, dir: string, podName: string): Promise<Map<string, string>> {
    const { api, apiCa, tokenOf } = this.options;
    const made = new Map<string, string>();
    const group = spec.securityContext?.fsGroup;
    for (const { name, hostPath, emptyDir, secret, projected } of spec.volumes ?? []) {
      if (hostPath !== undefined) {
        if (hostPath.type === 'DirectoryOrCreate') mkdirSync(hostPath.path, { recursive: true });
        if (!existsSync(hostPath.path)) throw new Error(`hostPath ${hostPath.path} does not exist`);
        made.set(name, hostPath.path);
        continue;
      }
      const path = join(dir, 'volumes', name);
      mkdirSync(path, { recursive: true });
      made.set(name, path);
      if (emptyDir !== undefined) {
        if (group !== undefined) chownSync(path, 0, group);
        await runFile('chmod', [group === undefined ? '0777' : '2777', path]);
      } else if (secret !== undefined) {
        // As kubelet: the pod waits for its Secrets.
        const found = await until(`Secret ${secret.secretName}`, async () =>
          api.object('secrets', secret.secretName, namespace),
        );
        const data = Object.entries(found.data as Record<string, string>);
        const files = Object.fromEntries(data.map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]));
        writeFiles(path, files, secret.defaultMode ?? 0o644);
      } else if (projected?.sources.length === 1 && projected.sources[0].serviceAccountToken !== undefined) {
        const { audience, expirationSeconds, path: file } = projected.sources[0].serviceAccountToken;
        const account = api.object('serviceaccounts', spec.serviceAccountName, namespace);
        const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: podName };
        const { token } = api.accountTokens.issue(account, {
          audiences: [audience],
          expirationSeconds,
          boundObjectRef,
        });
        writeFiles(path, { [file]: token }, projected.defaultMode ?? 0o644);
      } else throw new Error(`volume ${name} is of a kind that this kubelet does not know`);
    }
    const token =
      spec.automountServiceAccountToken === false ? undefined : tokenOf(spec.serviceAccountName ?? 'default');
    if (token !== undefined) {
      const path = join(dir, 'volumes/kube-api-access');
      writeFiles(path, { token, 'ca.crt': apiCa, namespace }, 0o644);
      made.set('kube-api-access', path);
    }
    return made;
  }
}

const CRUN = ['--cgroup-manager=disabled', '--root=/run/crun'] as const;
const EXEC = { timeout: 30_000 };
const ACCOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';

const expand = (text: string, env: Readonly<Record<string, string>>): string =>
  text.replace(/\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g, (whole, name) => env[name] ?? whole);

const ended = (child: ChildProcess): Promise<number | null> =>
  child.exitCode !== null
    ? Promise.resolve(child.exitCode)
    : new Promise((resolve) => child.once('exit', (status) => resolve(status)));

async function succeeds(
  { exec, httpGet }: Any,
  container: Any,
  run: (container: string, ...argv: readonly string[]) => Promise<string>,
): Promise<boolean> {
  if (exec !== undefined)
    return run(container.name, ...exec.command).then(
      () => true,
      () => false,
    );
  const port = container.ports.find((p: Any) => p.name === httpGet.port).containerPort;
  return new Promise((resolve) => {
    const sent = request({ host: httpGet.host, port, path: httpGet.path, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(false));
    sent.end();
  });
}

/** Waits for a value. @throws Error after a minute, with what was waited for */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  timeoutMs = 60_000,
): Promise<T> {
  for (const end = Date.now() + timeoutMs; ; ) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
