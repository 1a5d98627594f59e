import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { join } from 'node:path';
import type { Clock } from '../clock.js';

/** Where the API server is, and who we are there. */
export interface Credentials {
  /** `https://HOST:PORT`, with a path if there is one, without a slash at the end. */
  readonly server: string;
  /** Adds certificates, headers and the agent to the options of a request. */
  apply(options: RequestOptions): Promise<void>;
}

/** The kubelet puts a new token there long before the old one expires, and a new authority when the cluster has one. */
const FILES_MAX_AGE_MS = 60_000;
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The service account of the pod that this process runs in. `@kubernetes/client-node` could do this too, but it takes 90 MB of
 * memory, which is half of a controller.
 * @throws Error if this is not a pod, or it has no service account
 */
export async function inCluster(
  clock: Clock,
  env: Readonly<Record<string, string | undefined>> = process.env,
  folder = SERVICE_ACCOUNT,
): Promise<Credentials> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (host === undefined)
    throw new Error('there is no cluster around this process: KUBERNETES_SERVICE_HOST is not set');
  const read = async () => ({
    token: (await readFile(join(folder, 'token'), 'utf8')).trim(),
    ca: await readFile(join(folder, 'ca.crt')),
    at: clock.now(),
  });
  let known = await read();
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async apply(options) {
      if (clock.now() - known.at > FILES_MAX_AGE_MS) known = await read();
      options.ca = known.ca;
      options.headers = { authorization: `Bearer ${known.token}` };
    },
  };
}

/**
 * The current context of a kubeconfig file, with all that one may say (exec plugins, proxies, client certificates). The library
 * is loaded here and not at the top: it takes a third of a second and much memory.
 * @throws Error if there is no such file, or it names no cluster
 */
export async function fromKubeconfig(file: string): Promise<Credentials> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(file);
  // The library refuses http unless it is told not to verify what http does not have.
  config.clusters = config.clusters.map((c) => (c.server.startsWith('http:') ? { ...c, skipTLSVerify: true } : c));
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`${file} names no cluster in its current context`);
  return {
    server: cluster.server.replace(/\/$/, ''),
    apply: (options) => config.applyToHTTPSOptions(options),
  };
}
