import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

// biome-ignore lint/suspicious/noExplicitAny: parts of pod specs
type Any = any;

/** One mount of a container. */
export interface VolumeMount {
  readonly source: string;
  readonly destination: string;
  readonly readOnly: boolean;
  /** Mounts that appear on the host later appear in the container. */
  readonly fromHost: boolean;
}

export interface Container {
  readonly rootfs: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly VolumeMount[];
  /** Of the container, and of the pod where the container says nothing. */
  readonly security: Any;
}

/** In the order of their bits, linux/capability.h. */
const ALL_CAPABILITIES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'],
  ...['LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER'],
  ...['SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE'],
  ...['SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP'],
];
/** This process may not have all of them, and cannot give more than it has. */
const OWN = BigInt(`0x${/^CapBnd:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
const available = (name: string): boolean => ((OWN >> BigInt(ALL_CAPABILITIES.indexOf(name))) & 1n) === 1n;

/** What container runtimes give where nothing is said. */
const DEFAULT_CAPABILITIES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'NET_BIND_SERVICE'],
  ...['NET_RAW', 'SYS_CHROOT', 'MKNOD', 'AUDIT_WRITE', 'SETFCAP'],
];

function capabilities({ privileged, capabilities: { drop = [], add = [] } = {} }: Any): string[] {
  if (privileged === true) return ALL_CAPABILITIES.filter(available).map((name) => `CAP_${name}`);
  const kept = drop.includes('ALL') ? [] : DEFAULT_CAPABILITIES.filter((name) => !drop.includes(name));
  return [...kept, ...add].filter(available).map((name) => `CAP_${name}`);
}

/** The configuration of an OCI runtime for a container of a pod that uses the network of its node. */
export function runtimeConfig({ rootfs, args, env, mounts, security }: Container): object {
  const uid = security.runAsUser ?? 0;
  if (security.runAsNonRoot === true && uid === 0) throw new Error(`${args[0]}: runAsNonRoot, but it is root`);
  const held = capabilities(security);
  const privileged = security.privileged === true;
  const system = (destination: string, type: string, options: readonly string[]) => ({
    destination,
    type,
    source: type,
    options: ['nosuid', ...options],
  });
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid, gid: security.runAsGroup ?? 0, additionalGids: security.fsGroup ? [security.fsGroup] : [] },
      args,
      env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      cwd: '/',
      // A process that is not root keeps no capability over exec.
      capabilities: { bounding: held, effective: uid === 0 ? held : [], permitted: uid === 0 ? held : [] },
      noNewPrivileges: security.allowPrivilegeEscalation === false,
    },
    root: { path: rootfs, readonly: security.readOnlyRootFilesystem === true },
    mounts: [
      system('/proc', 'proc', ['noexec', 'nodev']),
      system('/dev', 'tmpfs', ['strictatime', 'mode=755', 'size=65536k']),
      system('/dev/shm', 'tmpfs', ['noexec', 'nodev', 'mode=1777', 'size=65536k']),
      system('/sys', 'sysfs', ['noexec', 'nodev', ...(privileged ? [] : ['ro'])]),
      ...mounts.map(({ source, destination, readOnly, fromHost }) => ({
        destination,
        type: 'bind',
        source,
        options: ['rbind', readOnly ? 'ro' : 'rw', fromHost ? 'rslave' : 'rprivate'],
      })),
    ],
    linux: {
      // The node's network and host name: hostNetwork.
      namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }],
      rootfsPropagation: 'rslave',
      ...(privileged
        ? {}
        : {
            maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
            readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
          }),
    },
  };
}

/** Writes files of a Secret or of a projected volume, with the group of the pod. */
export function writeFiles(dir: string, files: Readonly<Record<string, string>>, mode: number): void {
  for (const [name, text] of Object.entries(files)) {
    const file = join(dir, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, mode);
  }
}
