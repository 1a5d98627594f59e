import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { ROUTES } from '@heddle/api';
import { ensureKubePath, innerKubeconfig } from '../kube/path.js';
import { controllerClient, type Programs } from './controller.js';
import { readIfThere, writeAtomically } from './files.js';
import { underlayNetns } from './netns.js';
import { type LabPaths, MARKER, nodeDir } from './paths.js';
import { isAlive, type ProcessRecord, running, start } from './processes.js';
import { waitFor } from './run.js';
import type { LabNode, LabOptions } from './state.js';
import { UNDERLAY_IPV4 } from './underlay.js';
import { accepts } from './unix-socket.js';

/** Names in the lab's records. */
export const CONTROLLER = 'controller';
export const KUBELET = 'kubelet';
export const agentProcess = (node: string) => `agent-${node}`;

const CONTROLLER_TIMEOUT_MS = 40_000;
const AGENT_TIMEOUT_MS = 30_000;

/** Log files of the long-running processes. */
export const controllerLog = (paths: LabPaths) => `${paths.stateDir}/controller.log`;
export const kubeletLog = (paths: LabPaths) => `${paths.stateDir}/kubelet.log`;
export const agentLog = (paths: LabPaths, node: string) => `${nodeDir(paths, node)}/agent.log`;

/** Starts the controller where it does not run. Plain TCP: the underlay of the lab is one machine's memory. */
export async function startController(
  paths: LabPaths,
  programs: Programs,
  options: LabOptions,
): Promise<ProcessRecord> {
  const { kubeconfig } = options;
  if (kubeconfig !== null) await ensureKubePath(paths, kubeconfig, programs.forward);
  const old = await running(paths, CONTROLLER);
  if (old !== undefined) return old;
  if (!existsSync(paths.tokenFile))
    await writeAtomically(paths.tokenFile, `${randomBytes(24).toString('hex')}\n`, 0o600);
  const source: Record<string, string> =
    kubeconfig === null
      ? { HEDDLE_SOURCE: `manifests:${paths.manifests}` }
      : { HEDDLE_SOURCE: 'kubernetes', KUBECONFIG: innerKubeconfig(paths) };
  return start(paths, {
    name: CONTROLLER,
    netns: underlayNetns(paths),
    argv: [process.execPath, '--enable-source-maps', programs.controller],
    env: {
      ...source,
      HEDDLE_DATABASE_URL: `sqlite:${paths.stateDir}/heddle.db`,
      HEDDLE_OPENFLOW_LISTEN: `tcp:${UNDERLAY_IPV4}:6653`,
      HEDDLE_OVSDB_LISTEN: `tcp:${UNDERLAY_IPV4}:6640`,
      HEDDLE_API_LISTEN: `tcp:${UNDERLAY_IPV4}:8080,unix:${paths.apiSocket}`,
      HEDDLE_API_TOKEN_FILE: paths.tokenFile,
      HEDDLE_CLUSTER_CIDR: options.ipv6 ? '10.244.0.0/16,fd00:10:244::/56' : '10.244.0.0/16',
      HEDDLE_SERVICE_CIDR: options.ipv6 ? '10.96.0.0/16,fd00:10:96::/112' : '10.96.0.0/16',
      HEDDLE_ENCAP: options.encap,
      HEDDLE_LOG_LEVEL: process.env.HEDDLE_LOG_LEVEL ?? 'info',
    },
    logFile: controllerLog(paths),
  });
}

/** Waits until the controller answers. @throws Error with the end of its log if it ended */
export async function controllerReady(paths: LabPaths, record: ProcessRecord): Promise<void> {
  const api = controllerClient(paths);
  await waitFor('the controller does not answer; see: heddle-lab logs controller', CONTROLLER_TIMEOUT_MS, async () => {
    if (!(await isAlive(record))) throw new Error(`the controller ended:\n${await lastLines(controllerLog(paths))}`);
    return api.text('GET', ROUTES.health, { timeoutMs: 2_000 }).catch(() => undefined); // not listening, or not ready yet
  });
}

/** Starts a node's agent where it does not run. */
export async function startAgent(paths: LabPaths, programs: Programs, node: LabNode): Promise<ProcessRecord> {
  const old = await running(paths, agentProcess(node.name));
  if (old !== undefined) return old;
  const dir = nodeDir(paths, node.name);
  return start(paths, {
    name: agentProcess(node.name),
    netns: node.netns,
    argv: [process.execPath, '--enable-source-maps', programs.agent],
    env: {
      HEDDLE_NODE_NAME: node.name,
      HEDDLE_CONTROLLER_URL: `http://${UNDERLAY_IPV4}:8080`,
      HEDDLE_API_TOKEN_FILE: paths.tokenFile,
      HEDDLE_OVSDB: `unix:${dir}/db.sock`,
      HEDDLE_ENCAP_IP: node.ips[0] ?? '',
      HEDDLE_DATAPATH_TYPE: 'netdev',
      HEDDLE_AGENT_SOCKET: `${dir}/agent.sock`,
      HEDDLE_UPLINK: 'eth0',
      HEDDLE_STATE_DIR: dir,
      HEDDLE_LOG_LEVEL: process.env.HEDDLE_LOG_LEVEL ?? 'info',
    },
    logFile: agentLog(paths, node.name),
  });
}

/** Waits until an agent answers CNI calls. @throws Error with the end of its log if it ended */
export async function agentReady(paths: LabPaths, node: LabNode, record: ProcessRecord): Promise<void> {
  const socket = `${nodeDir(paths, node.name)}/agent.sock`;
  await waitFor(
    `the agent of ${node.name} is not ready; see: heddle-lab logs agent ${node.name}`,
    AGENT_TIMEOUT_MS,
    async () => {
      if (!(await isAlive(record)))
        throw new Error(`the agent of ${node.name} ended:\n${await lastLines(agentLog(paths, node.name))}`);
      return (await accepts(socket)) ? true : undefined;
    },
  );
}

/** Starts the kubelet part where it does not run. */
export async function startKubelet(paths: LabPaths, programs: Programs): Promise<ProcessRecord> {
  const old = await running(paths, KUBELET);
  if (old !== undefined) return old;
  return start(paths, {
    name: KUBELET,
    // In no namespace of the lab: it makes namespaces, and reaches the rest through unix sockets.
    netns: null,
    argv: [process.execPath, '--enable-source-maps', programs.kubelet],
    env: labEnvironment(),
    logFile: kubeletLog(paths),
  });
}

/** The settings of heddle-lab itself, for the kubelet part. */
function labEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([k, v]) =>
      k.startsWith('HEDDLE_LAB_') && k !== MARKER && v !== undefined ? [[k, v]] : [],
    ),
  );
}

async function lastLines(file: string): Promise<string> {
  return ((await readIfThere(file)) ?? '').trimEnd().split('\n').slice(-15).join('\n');
}
