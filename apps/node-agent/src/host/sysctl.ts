import { existsSync, readFileSync, writeFileSync } from 'node:fs';

// /proc/sys/net shows the network namespace of the reading process, so plain files do. In a container /proc/sys is
// read-only; the DaemonSet mounts the same files of the host beside it.
const ROOT = existsSync('/host/proc/sys/net') ? '/host/proc/sys/net' : '/proc/sys/net';
const file = (key: string): string => `${ROOT}/${key}`;

/** Value of `net/...`, a key with slashes; undefined where the kernel has no such key (IPv6 off, say). */
export function readSysctl(key: string): string | undefined {
  try {
    return readFileSync(file(key), 'utf8').trim();
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw e;
  }
}

/** Sets a key unless it has the value already. Returns false where the kernel has no such key. */
export function writeSysctl(key: string, value: string): boolean {
  const before = readSysctl(key);
  if (before === undefined) return false;
  if (before !== value) writeFileSync(file(key), value);
  return true;
}

/** Forwarding, and no redirects for what goes in and out of heddle0 (refused service traffic does). */
export function setGatewaySysctls(gateway: string, underlay: string): void {
  // With forwarding on, a default route learnt by router advertisement would go; 2 keeps it.
  if (readSysctl(`ipv6/conf/${underlay}/accept_ra`) === '1') writeSysctl(`ipv6/conf/${underlay}/accept_ra`, '2');
  writeSysctl('ipv4/ip_forward', '1');
  writeSysctl('ipv6/conf/all/forwarding', '1');
  // The kernel takes the larger of "all" and the interface's value: where "all" is strict (1), loose (2) wins over it.
  writeSysctl(`ipv4/conf/${gateway}/rp_filter`, readSysctl('ipv4/conf/all/rp_filter') === '1' ? '2' : '0');
  writeSysctl('ipv4/conf/all/send_redirects', '0');
  writeSysctl(`ipv4/conf/${gateway}/send_redirects`, '0');
  writeSysctl(`ipv6/conf/${gateway}/accept_ra`, '0');
  writeSysctl(`ipv6/conf/${gateway}/accept_dad`, '0');
}
