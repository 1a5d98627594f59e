import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import type { LabPaths } from './paths.js';
import { netnsPath } from './paths.js';
import { run, runAny } from './run.js';

/** File names end at 255 bytes. */
const MAX_NAME_BYTES = 255;

/** Name of the underlay's network namespace. */
export function underlayNetns(paths: LabPaths): string {
  return `${paths.prefix}ul`;
}

/** Name of a node's network namespace. */
export function nodeNetns(paths: LabPaths, node: string): string {
  return `${paths.prefix}${node}`;
}

/**
 * Name of a pod's network namespace: PREFIX + NAMESPACE-POD. Where that is too long or already another's (a/b-c and a-b/c
 * give the same), the end is replaced by a hash of both names.
 */
export function podNetns(paths: LabPaths, namespace: string, pod: string, taken: (name: string) => boolean): string {
  const plain = `${paths.prefix}${namespace}-${pod}`;
  if (plain.length <= MAX_NAME_BYTES && !taken(plain)) return plain;
  const hash = createHash('sha256').update(`${namespace}/${pod}`).digest('hex').slice(0, 10);
  return `${plain.slice(0, MAX_NAME_BYTES - hash.length - 1)}-${hash}`;
}

/** Names of this lab's network namespaces that exist, half-made ones (a file without a mount) included. */
export async function listNetns(paths: LabPaths): Promise<string[]> {
  const names = await readdir('/run/netns').catch(() => [] as string[]);
  return names.filter((n) => n.startsWith(paths.prefix)).sort();
}

/** Whether a network namespace of this name exists and can be entered. */
export async function netnsUsable(name: string): Promise<boolean> {
  return (await runAny(['nsenter', `--net=${netnsPath(name)}`, '--', 'true'])).code === 0;
}

/** Makes a network namespace with lo up; one that was left half-made is replaced. */
export async function addNetns(name: string): Promise<void> {
  if (existsSync(netnsPath(name))) {
    if (await netnsUsable(name)) return;
    await deleteNetns(name);
  }
  await run(['ip', 'netns', 'add', name]);
  await run(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
}

/** Removes a network namespace and its mount; succeeds when there is none. */
export async function deleteNetns(name: string): Promise<void> {
  const result = await runAny(['ip', 'netns', 'del', name]);
  if (result.code === 0) return;
  // A half-made one: a plain file, or a mount that `ip` does not want to take.
  await runAny(['umount', '-l', netnsPath(name)]);
  await rm(netnsPath(name), { force: true });
}
