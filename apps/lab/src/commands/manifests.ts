import { controllerClient } from '../host/controller.js';
import { objectsOf, putManifests, readManifests, removeManifest } from '../host/manifests.js';
import type { LabPaths } from '../host/paths.js';
import type { Progress } from '../host/progress.js';
import { requireLabState } from '../host/state.js';
import { problemsOf, settle } from './settle.js';

/**
 * Copies manifests into the watched directory and waits until they are realized.
 * @throws Error for manifests that the controller cannot use as they are, and when something does not come up in time
 */
export async function apply(paths: LabPaths, source: string, timeoutMs: number, progress: Progress): Promise<void> {
  await requireLabState(paths);
  const files = await readManifests(source);
  const before = await putManifests(paths, files);
  progress.say(`${files.length} files, ${before.length} new or changed`);
  const api = controllerClient(paths);
  const status = await settle(paths, api, objectsOf(files), true, timeoutMs, (t) => progress.say(t)).catch(
    async (e: unknown) => {
      // The reason is most likely in the file itself.
      await sayProblems(files.map((f) => f.name));
      throw e;
    },
  );
  progress.say(
    `realized: ${status.counts.flows} flows on ${status.nodes.total} nodes, generation ${status.generation}`,
  );
  if (await sayProblems(files.map((f) => f.name)))
    throw new Error('not all of it could be used; the last good state of the objects stays');

  async function sayProblems(names: readonly string[]): Promise<boolean> {
    const problems = await problemsOf(api, names);
    for (const p of problems)
      progress.say(`${p.severity}: ${p.file}${p.line === null ? '' : `:${p.line}`}: ${p.reason}`);
    return problems.some((p) => p.severity === 'error');
  }
}

/** Takes a file out of the watched directory and waits until its objects are gone. */
export async function remove(paths: LabPaths, name: string, timeoutMs: number, progress: Progress): Promise<void> {
  await requireLabState(paths);
  const file = await removeManifest(paths, name);
  progress.say(`${file.name} removed`);
  const status = await settle(paths, controllerClient(paths), objectsOf([file]), false, timeoutMs, (t) =>
    progress.say(t),
  );
  progress.say(
    `realized: ${status.counts.flows} flows on ${status.nodes.total} nodes, generation ${status.generation}`,
  );
}
