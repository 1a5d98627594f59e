/** Of these lines of releases, the first whose patch number has the correction. */
const CORRECTED_IN: Readonly<Record<string, number>> = { '2.17': 8, '3.0': 5, '3.1': 3 };
/** Upstream numbers what leads to the next line from here on; no line has had as many releases. */
const DEVELOPMENT = 90;

const isBefore = ([a, b]: readonly [number, number], [c, d]: readonly [number, number]) => a < c || (a === c && b < d);

/**
 * Whether the userspace datapath of this release may keep a decision that flows do not make any more: of two cached decisions that
 * overlap it may change the wrong one, and packets keep the other alive. Since 2.8.0; corrected by "dpif-netdev: Fix
 * dpif_netdev_flow_put" (August 2023), which is in 3.2.0, 3.1.3, 3.0.5, 2.17.8 and what came after them. A distribution may have the
 * correction under an older number: emptying the cache then costs a little and does no harm.
 * @param version as ovs-vswitchd tells it, for example `ovs-vswitchd (Open vSwitch) 3.1.0`; one without a number is taken for new
 */
export function mayKeepDecisions(version: string): boolean {
  const [major, minor, patch] = (/(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number);
  if (major === undefined || minor === undefined || patch === undefined) return false;
  const line = [major, minor] as const;
  if (isBefore(line, [2, 8])) return false;
  if (patch >= DEVELOPMENT) return isBefore(line, [3, 3]);
  return isBefore(line, [3, 2]) && patch < (CORRECTED_IN[`${major}.${minor}`] ?? Number.POSITIVE_INFINITY);
}
