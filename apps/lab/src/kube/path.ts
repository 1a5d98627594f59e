import { isIP } from 'node:net';
import { writeAtomically } from '../host/files.js';
import { underlayNetns } from '../host/netns.js';
import type { LabPaths } from '../host/paths.js';
import { isAlive, running, start } from '../host/processes.js';
import { run, waitFor } from '../host/run.js';
import { accepts } from '../host/unix-socket.js';
import { readKubeconfig, writeKubeconfig } from './kubeconfig.js';

/** Kubeconfig with which the API server is reached from the controller's network namespace. */
export const innerKubeconfig = (paths: LabPaths): string => `${paths.stateDir}/kubeconfig`;

const START_TIMEOUT_MS = 10_000;

/** Where the controller finds the API server in its own namespace. */
export interface InnerAddress {
  readonly ip: string;
  readonly port: number;
  readonly url: string;
}

/**
 * The same address and port wherever the server is named by its address, so that its certificate fits; 127.0.0.1 for a name.
 */
export function innerAddress(server: string): InnerAddress {
  const url = new URL(server);
  const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const ip = isIP(host) === 0 ? '127.0.0.1' : host;
  if (ip !== host) url.hostname = ip;
  return { ip, port, url: url.href.replace(/\/$/, '') };
}

/**
 * Lets the controller, which lives in the namespace of the underlay, reach the API server, which the machine reaches: two forwarders and a unix socket between
 * them. Idempotent.
 */
export async function ensureKubePath(paths: LabPaths, kubeconfig: string, forward: string): Promise<void> {
  const known = readKubeconfig(kubeconfig);
  const { ip, port, url } = innerAddress(known.server);
  const outer = new URL(known.server).hostname;
  const netns = underlayNetns(paths);
  const socket = `unix:${paths.stateDir}/kube-api.sock`;
  await writeAtomically(innerKubeconfig(paths), writeKubeconfig(known, url), 0o600);
  if (!ip.startsWith('127.') && ip !== '::1')
    await run(['ip', '-n', netns, 'addr', 'replace', ip, 'dev', 'lo', ...(ip.includes(':') ? ['nodad'] : [])]);
  for (const [name, where, ...ends] of [
    ['kube-out', null, socket, `tcp:${outer}:${port}`],
    ['kube-in', netns, `tcp:${ip.includes(':') ? `[${ip}]` : ip}:${port}`, socket],
  ] as const) {
    if ((await running(paths, name)) !== undefined) continue;
    const logFile = `${paths.stateDir}/${name}.log`;
    const argv = [process.execPath, forward, ...ends];
    const record = await start(paths, { name, netns: where, argv, env: {}, logFile });
    await waitFor(`${name} does not listen; see ${logFile}`, START_TIMEOUT_MS, async () => {
      if (!(await isAlive(record))) throw new Error(`${name} ended; see ${logFile}`);
      if (where === null) return (await accepts(socket.slice('unix:'.length))) ? true : undefined;
      const listening = await run(['nsenter', `--net=/run/netns/${where}`, '--', 'ss', '-Hltn', `sport = :${port}`]);
      return listening.trim() === '' ? undefined : true;
    });
  }
}
