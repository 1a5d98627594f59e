import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type LabPaths, MARKER, nodeDir } from '../host/paths.js';
import { agentLog, controllerLog, kubeletLog } from '../host/services.js';
import { type PodRecord, readPods, requireLabState } from '../host/state.js';
import { podsNamed } from '../probe/targets.js';

/** Runs a command in a pod's (or with `node/NAME` a node's) network namespace, on our terminal. Returns its exit code. */
export async function execInside(paths: LabPaths, where: string, command: readonly string[]): Promise<number> {
  const state = await requireLabState(paths);
  const node = state.nodes.find((n) => `node/${n.name}` === where);
  const netns = node?.netns ?? (await onePod(paths, where)).netns;
  // `ip netns exec`: the command also gets a /sys of that namespace.
  return foreground(['ip', 'netns', 'exec', netns, ...command], { ...process.env, [MARKER]: paths.stateDir });
}

async function onePod(paths: LabPaths, name: string): Promise<PodRecord> {
  const [pod] = podsNamed(await readPods(paths), name);
  if (pod === undefined) throw new Error(`no pod "${name}"`);
  return pod;
}

/** Shows the end of a log, or follows it. */
export async function logs(
  paths: LabPaths,
  what: readonly string[],
  options: { readonly follow: boolean; readonly lines: string; readonly container?: string },
): Promise<number> {
  await requireLabState(paths);
  const file = await logFile(paths, what, options.container);
  if (!existsSync(file)) throw new Error(`${file}: nothing has been logged`);
  return foreground(['tail', '-n', options.lines, ...(options.follow ? ['-F'] : []), file], process.env);
}

async function logFile(paths: LabPaths, what: readonly string[], container: string | undefined): Promise<string> {
  const [kind = 'controller', name] = what;
  if (kind === 'controller') return controllerLog(paths);
  if (kind === 'kubelet') return kubeletLog(paths);
  if (name === undefined)
    throw new Error(
      `logs ${kind}: say which one, for example: heddle-lab logs ${kind} ${kind === 'pod' ? 'NS/POD' : 'node1'}`,
    );
  if (kind === 'agent') return agentLog(paths, name);
  if (kind === 'ovs') return `${nodeDir(paths, name)}/vswitchd.log`;
  if (kind === 'pod') {
    const pod = await onePod(paths, name);
    const wanted = container ?? pod.containers.at(-1)?.name ?? 'sandbox';
    return `${paths.stateDir}/pods/${pod.containerId.slice(0, 12)}/${wanted}.log`;
  }
  throw new Error(`"${kind}" is not one of controller, kubelet, agent NODE, ovs NODE, pod NS/POD`);
}

function foreground(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [file = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit', env });
    // The terminal sends Ctrl-C to the child too; we stay to report how it ended.
    const ignore = () => undefined;
    process.on('SIGINT', ignore);
    child.on('error', reject);
    child.on('close', (code) => {
      process.removeListener('SIGINT', ignore);
      resolve(code ?? 130);
    });
  });
}
