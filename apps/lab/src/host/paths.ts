/** Where one lab keeps its things. Several labs with different names can run beside each other. */
export interface LabPaths {
  /** Empty for the lab that people start by hand. */
  readonly name: string;
  /** First characters of every network namespace of this lab, `hd-` by default. */
  readonly prefix: string;
  readonly stateDir: string;
  /** The directory that the controller watches. */
  readonly manifests: string;
  readonly apiSocket: string;
  readonly tokenFile: string;
}

/** Set in the environment of every process of a lab, to the lab's state directory: `down` finds them by it even when no record was written. */
export const MARKER = 'HEDDLE_LAB_STARTED';

/**
 * Paths of the lab called HEDDLE_LAB_NAME (up to 6 lower-case letters and digits; empty for the usual one).
 * @throws RangeError for another name
 */
export function labPaths(env: NodeJS.ProcessEnv = process.env): LabPaths {
  const name = env.HEDDLE_LAB_NAME ?? '';
  if (!/^[a-z0-9]{0,6}$/.test(name))
    throw new RangeError(`HEDDLE_LAB_NAME "${name}" is not up to 6 lower-case letters and digits`);
  const stateDir = name === '' ? '/run/heddle-lab' : `/run/heddle-lab-${name}`;
  return {
    name,
    prefix: `hd${name}-`,
    stateDir,
    manifests: `${stateDir}/manifests`,
    apiSocket: `${stateDir}/api.sock`,
    tokenFile: `${stateDir}/token`,
  };
}

/** Folder of one node: its databases, sockets and logs. */
export function nodeDir(paths: LabPaths, node: string): string {
  return `${paths.stateDir}/nodes/${node}`;
}

/** Where `ip netns` keeps a namespace. */
export function netnsPath(netns: string): string {
  return `/run/netns/${netns}`;
}
