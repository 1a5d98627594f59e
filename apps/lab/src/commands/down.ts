import { rm } from 'node:fs/promises';
import { deleteNetns, listNetns } from '../host/netns.js';
import { type LabPaths, netnsPath } from '../host/paths.js';
import { end, findProcesses, readRecord } from '../host/processes.js';
import type { Progress } from '../host/progress.js';
import { KUBELET } from '../host/services.js';
import { type LabState, readLabState } from '../host/state.js';
import { isStatus } from '../kube/client.js';
import { removeNode } from '../kube/nodes.js';
import type { KubePod } from '../kube/objects.js';
import { kubeClient } from './cluster.js';

/**
 * Removes every process, network namespace, link, mount and file of the lab, also what a killed `up` or kubelet left half-made.
 * A process inside a namespace of the lab that the lab did not start (somebody's tcpdump) is named and left alone.
 * @throws Error if something of ours cannot be removed
 */
export async function down(paths: LabPaths, progress: Progress): Promise<void> {
  // First, so that it starts nothing again.
  const state = await readLabState(paths);
  const kubelet = await readRecord(paths, KUBELET);
  if (kubelet !== undefined) await end([kubelet]);
  let ended = 0;
  // A second look finds what was being started during the first.
  for (let look = 0; look < 3; look++) {
    const found = await findProcesses(paths, (await listNetns(paths)).map(netnsPath));
    const ours = found.filter((p) => p.ours);
    if (look === 0)
      for (const p of found.filter((f) => !f.ours))
        progress.say(`left alone, the lab did not start it: process ${p.pid} (${p.command})`);
    if (ours.length === 0) break;
    ended += ours.length;
    const survivors = await end(ours);
    if (survivors.length > 0) throw new Error(`processes that do not end: ${survivors.map((p) => p.pid).join(', ')}`);
  }
  const namespaces = await listNetns(paths);
  for (const name of namespaces) await deleteNetns(name);
  const left = await listNetns(paths);
  if (left.length > 0) throw new Error(`network namespaces that cannot be removed: ${left.join(', ')}`);
  if (state !== undefined) await leaveCluster(state, progress);
  await rm(paths.stateDir, { recursive: true, force: true });
  progress.say(
    ended + namespaces.length === 0
      ? 'there was nothing to remove'
      : `ended ${ended} processes, removed ${namespaces.length} network namespaces; nothing is left`,
  );
}

/** Takes the lab's nodes, and the pods that ran there, out of the API server whose kubelets it played. It may be gone already. */
async function leaveCluster(state: LabState, progress: Progress): Promise<void> {
  try {
    const kube = kubeClient(state);
    if (kube === undefined) return;
    const names = new Set(state.nodes.map((n) => n.name));
    const { items } = await kube.list<KubePod>('/api/v1/pods');
    for (const { metadata, spec } of items.filter((p) => names.has(p.spec.nodeName ?? '')))
      await kube
        .delete(`/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`, {
          kind: 'DeleteOptions',
          apiVersion: 'v1',
          gracePeriodSeconds: 0,
        })
        .catch((e: unknown) => {
          if (!isStatus(e, 404)) throw new Error(`pod ${metadata.name} of ${spec.nodeName}: ${e}`, { cause: e });
        });
    for (const name of names) await removeNode(kube, name);
    kube.close();
  } catch (e) {
    progress.say(`the lab's nodes stay in the cluster: ${e instanceof Error ? e.message : e}`);
  }
}
