import { programs } from '../host/controller.js';
import { ensureOvs, ovsdbProcess, vswitchdProcess } from '../host/ovs.js';
import type { LabPaths } from '../host/paths.js';
import { end, forget, running } from '../host/processes.js';
import {
  agentProcess,
  agentReady,
  CONTROLLER,
  controllerReady,
  KUBELET,
  startAgent,
  startController,
  startKubelet,
} from '../host/services.js';
import { type LabNode, type LabState, requireLabState } from '../host/state.js';

/** Stops (SIGTERM, or SIGKILL with `kill`) and starts single parts, for trying out what happens without them. */
export async function control(
  paths: LabPaths,
  action: 'stop' | 'kill' | 'start' | 'restart',
  what: readonly string[],
): Promise<void> {
  const state = await requireLabState(paths);
  const part = parts(paths, state, what);
  if (action !== 'start') {
    for (const name of part.stop) {
      const record = await running(paths, name);
      if (record !== undefined) {
        if (action === 'kill') process.kill(record.pid, 'SIGKILL');
        const left = await end([record], 10_000);
        if (left.length > 0) throw new Error(`${name} does not end (process ${record.pid})`);
      }
      await forget(paths, name);
    }
  }
  if (action === 'start' || action === 'restart') await part.start();
}

interface Part {
  /** Names in the lab's records. */
  readonly stop: readonly string[];
  readonly start: () => Promise<void>;
}

function parts(paths: LabPaths, state: LabState, [kind, name]: readonly string[]): Part {
  const node = (): LabNode => {
    const found = state.nodes.find((n) => n.name === name);
    if (found === undefined) throw new Error(`say a node: ${state.nodes.map((n) => `${kind} ${n.name}`).join(', ')}`);
    return found;
  };
  if (kind === 'controller')
    return {
      stop: [CONTROLLER],
      start: async () => controllerReady(paths, await startController(paths, programs(), state.options)),
    };
  if (kind === 'kubelet') return { stop: [KUBELET], start: async () => void (await startKubelet(paths, programs())) };
  if (kind === 'agent') {
    const n = node();
    return {
      stop: [agentProcess(n.name)],
      start: async () => agentReady(paths, n, await startAgent(paths, programs(), n)),
    };
  }
  // ovs: the switch only; ovsdb: the database only. Both keep their files.
  if (kind === 'ovs' || kind === 'ovsdb') {
    const n = node();
    return {
      stop: [kind === 'ovs' ? vswitchdProcess(n.name) : ovsdbProcess(n.name)],
      start: () => ensureOvs(paths, n.name, n.netns),
    };
  }
  throw new Error(`"${kind}" is not one of controller, kubelet, agent NODE, ovs NODE, ovsdb NODE`);
}
