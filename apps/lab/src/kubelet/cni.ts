import { existsSync } from 'node:fs';
import { z } from 'zod';
import { type LabPaths, MARKER, netnsPath } from '../host/paths.js';
import { searchPath } from '../host/processes.js';
import { runAny } from '../host/run.js';
import type { Bandwidth, PortMapping } from '../host/state.js';

/** What kubelet (through the container runtime) tells a CNI executable about a pod. */
export interface CniTarget {
  readonly containerId: string;
  readonly netns: string;
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  /** Network namespace of the node that the executable runs on. */
  readonly nodeNetns: string;
  /** Unix socket of that node's agent. */
  readonly agentSocket: string;
  readonly portMappings: readonly PortMapping[];
  readonly bandwidth: Bandwidth | undefined;
}

const CniResult = z.object({
  cniVersion: z.string(),
  ips: z.array(z.object({ address: z.string() })).default([]),
});

const CniErrorBody = z.object({ code: z.number().int(), msg: z.string(), details: z.string().optional() });

/** A CNI executable that said no; the message is the executable's own sentence. */
export class CniError extends Error {
  override readonly name = 'CniError';
  constructor(
    readonly command: 'ADD' | 'DEL',
    readonly code: number,
    message: string,
  ) {
    super(`CNI ${command}: ${message} (code ${code})`);
  }
}

/** kubelet's own limit for one call. */
const CNI_TIMEOUT_MS = 60_000;

/** Folder of Debian's CNI plugins. */
const PLUGINS = '/usr/lib/cni';

/** One plugin of the list, as the runtime calls it: its configuration with what its capabilities ask for. */
interface PluginCall {
  readonly executable: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The plugins for a pod: ours, then portmap if the pod has host ports. */
export function pluginCalls(target: CniTarget, cniDir: string): PluginCall[] {
  const common = { cniVersion: '1.0.0', name: 'heddle' };
  const { agentSocket, bandwidth, portMappings } = target;
  const ours = { ...common, type: 'heddle-cni', socket: agentSocket, capabilities: { bandwidth: true } };
  const calls: PluginCall[] = [
    { executable: `${cniDir}/heddle-cni`, config: bandwidth ? { ...ours, runtimeConfig: { bandwidth } } : ours },
  ];
  if (portMappings.length > 0)
    calls.push({
      executable: `${PLUGINS}/portmap`,
      config: {
        ...common,
        type: 'portmap',
        snat: true,
        capabilities: { portMappings: true },
        runtimeConfig: { portMappings },
      },
    });
  return calls;
}

/** The environment of one call, as the CNI specification and kubelet's runtimes have it. */
export function cniEnvironment(command: 'ADD' | 'DEL', target: CniTarget, cniDir: string): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: target.containerId,
    CNI_NETNS: netnsPath(target.netns),
    CNI_IFNAME: 'eth0',
    CNI_ARGS: [
      'IgnoreUnknown=1',
      `K8S_POD_NAMESPACE=${target.namespace}`,
      `K8S_POD_NAME=${target.pod}`,
      `K8S_POD_INFRA_CONTAINER_ID=${target.containerId}`,
      `K8S_POD_UID=${target.uid}`,
    ].join(';'),
    CNI_PATH: `${cniDir}:${PLUGINS}`,
  };
}

/** Runs ADD of the pod's plugins on its node, each with the result of the one before. @throws CniError */
export async function cniAdd(
  paths: LabPaths,
  cniDir: string,
  target: CniTarget,
): Promise<{ ips: string[]; ms: number }> {
  const start = performance.now();
  let stdout = '';
  for (const { executable, config } of pluginCalls(target, cniDir)) {
    const prevResult = stdout === '' ? {} : { prevResult: parse(stdout) };
    stdout = await call(paths, 'ADD', cniDir, target, { executable, config: { ...config, ...prevResult } });
  }
  const ms = Math.round((performance.now() - start) * 10) / 10;
  const result = CniResult.safeParse(parse(stdout));
  if (!result.success) throw new CniError('ADD', 6, `its answer is not a CNI result: ${stdout.slice(0, 300)}`);
  return { ips: result.data.ips.map((ip) => ip.address.replace(/\/\d+$/, '')), ms };
}

/** Runs DEL of the pod's plugins, the last one first. @throws CniError */
export async function cniDel(paths: LabPaths, cniDir: string, target: CniTarget): Promise<void> {
  for (const plugin of pluginCalls(target, cniDir).reverse()) await call(paths, 'DEL', cniDir, target, plugin);
}

async function call(
  paths: LabPaths,
  command: 'ADD' | 'DEL',
  cniDir: string,
  target: CniTarget,
  { executable, config }: PluginCall,
): Promise<string> {
  if (!existsSync(executable))
    throw new CniError(command, 999, `${executable} is missing: apt-get install containernetworking-plugins`);
  const argv = ['nsenter', `--net=${netnsPath(target.nodeNetns)}`, '--', executable];
  const env = { PATH: searchPath(), [MARKER]: paths.stateDir, ...cniEnvironment(command, target, cniDir) };
  const result = await runAny(argv, {
    env,
    input: JSON.stringify(config),
    timeoutMs: CNI_TIMEOUT_MS,
  });
  if (result.code === 0) return result.stdout;
  const body = CniErrorBody.safeParse(parse(result.stdout));
  if (body.success)
    throw new CniError(command, body.data.code, [body.data.msg, body.data.details].filter(Boolean).join(': '));
  throw new CniError(
    command,
    999,
    (result.stderr || result.stdout || `ended by ${result.signal ?? result.code}`).trim().slice(0, 500),
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller says that it is no CNI answer, and shows it
  }
}
