import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CniVersion } from '../cni/version.js';
import { replaceFile } from '../host/replace-file.js';

/** Name of our file among the network configurations of the container runtime, which takes the first by name. */
export const CONFLIST_NAME = '10-heddle.conflist';

export interface ConflistOptions {
  readonly cniVersion: CniVersion;
  /** Unix socket of the agent as the host sees it. */
  readonly socket: string;
}

/**
 * The network configuration list (CNI specification §1): Heddle, then `portmap` for hostPorts. The capabilities are what
 * the runtime may hand over: bandwidth annotations to us, hostPorts to portmap.
 */
export function conflist({ cniVersion, socket }: ConflistOptions): string {
  const list = {
    cniVersion,
    name: 'heddle',
    plugins: [
      { type: 'heddle-cni', socket, capabilities: { bandwidth: true } },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    ],
  };
  return `${JSON.stringify(list, null, 2)}\n`;
}

/** What a write found or did. */
export interface Written {
  readonly changed: boolean;
  /** Configurations of others that the runtime takes before ours. */
  readonly before: readonly string[];
}

/** Writes the list so that the runtime sees all of it or nothing. Nothing happens if it is there already. */
export function writeConflist(dir: string, text: string): Written {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, CONFLIST_NAME);
  const before = readdirSync(dir)
    .filter((name) => /\.(conf|conflist|json)$/.test(name) && name < CONFLIST_NAME)
    .sort();
  if (readIfPresent(file) === text) return { changed: false, before };
  // Runtimes read every *.conf, *.conflist and *.json: the unfinished file has another ending.
  replaceFile(file, text, 0o644, true);
  return { changed: true, before };
}

/** Takes it away: from then on the runtime reports that this node has no network. False if there was none. */
export function removeConflist(dir: string): boolean {
  const file = join(dir, CONFLIST_NAME);
  const present = readIfPresent(file) !== undefined;
  rmSync(file, { force: true });
  rmSync(`${file}.new`, { force: true });
  return present;
}

function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw e;
  }
}
