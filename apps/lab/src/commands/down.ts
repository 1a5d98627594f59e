import { rm } from 'node:fs/promises';
import { deleteNetns, listNetns } from '../host/netns.js';
import { type LabPaths, netnsPath } from '../host/paths.js';
import { end, findProcesses, readRecord } from '../host/processes.js';
import type { Progress } from '../host/progress.js';
import { KUBELET } from '../host/services.js';

/**
 * Removes every process, network namespace, link, mount and file of the lab, also what a killed `up` or kubelet left half-made.
 * A process inside a namespace of the lab that the lab did not start (somebody's tcpdump) is named and left alone.
 * @throws Error if something of ours cannot be removed
 */
export async function down(paths: LabPaths, progress: Progress): Promise<void> {
  // First, so that it starts nothing again.
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
  await rm(paths.stateDir, { recursive: true, force: true });
  progress.say(
    ended + namespaces.length === 0
      ? 'there was nothing to remove'
      : `ended ${ended} processes, removed ${namespaces.length} network namespaces; nothing is left`,
  );
}
