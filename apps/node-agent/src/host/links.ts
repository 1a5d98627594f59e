import { statSync } from 'node:fs';
import type { RateLimit } from '../cni/bandwidth.js';
import { CommandError, ipBatch, run } from './command.js';
import { configureLines, createLines, type PodLink, type PodAddressing as WholeAddressing } from './pod-link.js';
import { tbfArguments } from './rate-limit.js';
import { readSysctl, writeSysctl } from './sysctl.js';

/** Makes the veth pair; the pod's end is down and has no address yet. @throws CommandError */
export async function createPodLink(link: PodLink): Promise<void> {
  await ipBatch(createLines(link));
  // Without it the host's end gets a link-local address, which Open vSwitch would take for one that tunnels may end at.
  writeSysctl(`ipv6/conf/${link.hostInterface}/disable_ipv6`, '1');
}

/** How to configure a pod's end, apart from its name. */
export type PodAddressing = Omit<WholeAddressing, 'podInterface'>;

/** What else to do at a pod's end. */
export interface PodEnd {
  /** `off`: checksums are made by the sender itself: a userspace datapath reads frames as they are and would hand on half-made ones. */
  readonly offload: 'keep' | 'off';
  /** What the pod may send. */
  readonly egress: RateLimit | undefined;
}

/** Longer than whatever the addressing may wait for. */
const CONFIGURE_TIMEOUT_MS = 30_000;

/**
 * Configures the pod's end as soon as it is known how; the programs are started before, since their start is most of the
 * time. When `pod` rejects, nothing happens.
 * @throws CommandError
 */
export async function configurePodLink(
  netns: string,
  podInterface: string,
  { offload, egress }: PodEnd,
  pod: Promise<PodAddressing>,
): Promise<void> {
  const input = pod.then((known) => `${configureLines({ ...known, podInterface }).join('\n')}\n`);
  // One entering of the namespace for all programs.
  const script = [
    'link=$1; shift; ip -batch -',
    ...(offload === 'off' ? ['ethtool -K "$link" tx off >/dev/null'] : []),
    ...(egress === undefined ? [] : ['tc "$@"']),
  ].join(' && ');
  const limit = egress === undefined ? [] : tbfArguments(podInterface, egress);
  const alone = offload === 'keep' && egress === undefined;
  const program = alone ? ['ip', '-batch', '-'] : ['sh', '-c', script, 'sh', podInterface, ...limit];
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
