import type { ApiClient, StatusView } from '@heddle/api';
import { controllerClient } from '../host/controller.js';
import {
  type ManifestFile,
  type ManifestObject,
  manifestsInPlace,
  objectsOf,
  putManifests,
  readManifests,
  removeManifest,
} from '../host/manifests.js';
import type { LabPaths } from '../host/paths.js';
import type { Progress } from '../host/progress.js';
import { type LabState, requireLabState } from '../host/state.js';
import { KubeApplier } from '../kube/apply.js';
import type { KubeClient } from '../kube/client.js';
import { kubeClient, settleCluster } from './cluster.js';
import { problemsOf, settle } from './settle.js';

/** Where manifests go, and how to see that they have arrived. */
interface Destination {
  readonly put: (files: readonly ManifestFile[]) => Promise<string>;
  readonly remove: (file: ManifestFile) => Promise<void>;
  readonly settled: (objects: readonly ManifestObject[], present: boolean) => Promise<StatusView>;
  readonly close: () => void;
}

/** A watched directory. */
function directory(paths: LabPaths, api: ApiClient, timeoutMs: number, progress: Progress): Destination {
  return {
    put: async (files) => `${files.length} files, ${(await putManifests(paths, files)).length} new or changed`,
    remove: async () => undefined,
    settled: (objects, present) => settle(paths, api, objects, present, timeoutMs, (t) => progress.say(t)),
    close: () => undefined,
  };
}

/** An API server. The directory, which nobody watches then, remembers what files held. */
function apiServer(
  paths: LabPaths,
  state: LabState,
  kube: KubeClient,
  api: ApiClient,
  timeoutMs: number,
  progress: Progress,
): Destination {
  const applier = new KubeApplier(kube);
  return {
    async put(files) {
      const before = await manifestsInPlace(
        paths,
        files.map((f) => f.name),
      );
      await putManifests(paths, files);
      return `${files.length} files, ${await applier.apply(files, before)} objects applied at ${kube.server}`;
    },
    remove: (file) => applier.remove([file]),
    settled: (objects, present) =>
      settleCluster(paths, state, kube, api, { objects, present, timeoutMs }, (t) => progress.say(t)),
    close: () => kube.close(),
  };
}

async function destination(paths: LabPaths, timeoutMs: number, progress: Progress): Promise<Destination> {
  const state = await requireLabState(paths);
  const api = controllerClient(paths);
  const kube = kubeClient(state);
  return kube === undefined
    ? directory(paths, api, timeoutMs, progress)
    : apiServer(paths, state, kube, api, timeoutMs, progress);
}

/**
 * Copies manifests into the watched directory, or applies them at the API server, and waits until they are realized.
 * @throws Error for manifests that cannot be used as they are, and when something does not come up in time
 */
export async function apply(paths: LabPaths, source: string, timeoutMs: number, progress: Progress): Promise<void> {
  const files = await readManifests(source);
  const to = await destination(paths, timeoutMs, progress);
  const api = controllerClient(paths);
  try {
    progress.say(await to.put(files));
    const status = await to.settled(objectsOf(files), true).catch(async (e: unknown) => {
      // The reason is most likely in the file itself.
      await sayProblems(files.map((f) => f.name));
      throw e;
    });
    progress.say(
      `realized: ${status.counts.flows} flows on ${status.nodes.total} nodes, generation ${status.generation}`,
    );
    if (await sayProblems(files.map((f) => f.name)))
      throw new Error('not all of it could be used; the last good state of the objects stays');
  } finally {
    to.close();
  }

  async function sayProblems(names: readonly string[]): Promise<boolean> {
    const problems = await problemsOf(api, names);
    for (const p of problems)
      progress.say(`${p.severity}: ${p.file}${p.line === null ? '' : `:${p.line}`}: ${p.reason}`);
    return problems.some((p) => p.severity === 'error');
  }
}

/** Takes a file out of the watched directory, or its objects off the API server, and waits until they are gone. */
export async function remove(paths: LabPaths, name: string, timeoutMs: number, progress: Progress): Promise<void> {
  const from = await destination(paths, timeoutMs, progress);
  try {
    const file = await removeManifest(paths, name);
    await from.remove(file);
    progress.say(`${file.name} removed`);
    const status = await from.settled(objectsOf([file]), false);
    progress.say(
      `realized: ${status.counts.flows} flows on ${status.nodes.total} nodes, generation ${status.generation}`,
    );
  } finally {
    from.close();
  }
}
