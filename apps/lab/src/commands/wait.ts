import { controllerClient } from '../host/controller.js';
import type { LabPaths } from '../host/paths.js';
import type { Progress } from '../host/progress.js';
import { requireLabState } from '../host/state.js';
import { kubeClient, waitForCluster } from './cluster.js';
import { waitForPods } from './settle.js';

/** Waits until what the lab's source wants runs. @throws Error that names what does not */
export async function waitForAll(paths: LabPaths, timeoutMs: number, progress: Progress): Promise<void> {
  const state = await requireLabState(paths);
  const api = controllerClient(paths);
  const kube = kubeClient(state);
  const say = (text: string) => progress.say(text);
  if (kube === undefined) await waitForPods(paths, api, timeoutMs, say);
  else await waitForCluster(paths, state, kube, api, timeoutMs, say);
}
