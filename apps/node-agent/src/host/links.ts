import { statSync } from 'node:fs';
import { CommandError, ipBatch, run } from './command.js';
import { configureLines, createLines, type PodLink, type PodAddressing as WholeAddressing } from './pod-link.js';
import { readSysctl, writeSysctl } from './sysctl.js';

/** Makes the veth pair; the pod's end is down and has no address yet. @throws CommandError */
export async function createPodLink(link: PodLink): Promise<void> {
  await ipBatch(createLines(link));
  // Without it the host's end gets a link-local address, which Open vSwitch would take for one that tunnels may end at.
  writeSysctl(`ipv6/conf/${link.hostInterface}/disable_ipv6`, '1');
}

/** How to configure a pod's end, apart from its name. */
export type PodAddressing = Omit<WholeAddressing, 'podInterface'>;

/** Longer than whatever the addressing may wait for. */
const CONFIGURE_TIMEOUT_MS = 30_000;

/**
 * Configures the pod's end as soon as it is known how; the programs are started before, since their start is most of the
 * time. When `pod` rejects, nothing happens. With `offload: 'off'` checksums are made by the sender itself: a userspace
 * datapath reads frames as they are and would hand on half-made ones.
 * @throws CommandError
 */
export async function configurePodLink(
  netns: string,
  podInterface: string,
  offload: 'keep' | 'off',
  pod: Promise<PodAddressing>,
): Promise<void> {
  const input = pod.then((known) => `${configureLines({ ...known, podInterface }).join('\n')}\n`);
  // One entering of the namespace for both programs.
  const script = 'ip -batch - && ethtool -K "$1" tx off >/dev/null';
  const program = offload === 'keep' ? ['ip', '-batch', '-'] : ['sh', '-c', script, 'sh', podInterface];
  await run('nsenter', [`--net=${netns}`, ...program], { input, timeoutMs: CONFIGURE_TIMEOUT_MS });
}

/** Whether the host has a link of this name. Costs one file access. */
export const hostLinkExists = (name: string): boolean => readSysctl(`ipv4/conf/${name}/forwarding`) !== undefined;

/** Removes the pair by its host's end; nothing happens if it is gone. @throws CommandError */
export async function deleteHostLink(name: string): Promise<void> {
  try {
    await run('ip', ['link', 'del', 'dev', name]);
  } catch (e) {
    // The kernel removes the pair by itself when the pod's namespace ends, perhaps while we try to.
    if (e instanceof CommandError && !hostLinkExists(name)) return;
    throw e;
  }
}

/** What a path that should be a network namespace is. */
export type NetnsState = 'present' | 'absent' | 'own';

/** `own`: it is the namespace that this process runs in. */
export function netnsState(path: string): NetnsState {
  try {
    const there = statSync(path);
    const here = statSync('/proc/self/ns/net');
    return there.ino === here.ino && there.dev === here.dev ? 'own' : 'present';
  } catch (e) {
    const { code } = e as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESRCH') return 'absent';
    throw e;
  }
}
