import { existsSync } from 'node:fs';
import { ApiClient } from '@heddle/api';
import type { LabPaths } from './paths.js';

/** The controller's REST API over its unix socket (which asks for no token). */
export function controllerClient(paths: LabPaths): ApiClient {
  return new ApiClient({ url: `unix:${paths.apiSocket}` });
}

const NO_PROGRAM = "; run 'make build' first";

/** The executables that a lab runs, inside this repository. */
export interface Programs {
  readonly controller: string;
  readonly agent: string;
  /** Folder with the CNI executable `heddle-cni`, as CNI_PATH names it. */
  readonly cniDir: string;
  readonly podProgram: string;
  readonly kubelet: string;
  /** Carries connections between network namespaces. */
  readonly forward: string;
}

/**
 * Where they are: in this repository, or where HEDDLE_LAB_CONTROLLER, HEDDLE_LAB_AGENT (scripts for Node) and HEDDLE_LAB_CNI_DIR say, to
 * try another build.
 * @throws Error that names every program that is not built
 */
export function programs(): Programs {
  // dist/host/controller.js -> apps/lab
  const lab = new URL('../..', import.meta.url).pathname;
  const apps = new URL('../../..', import.meta.url).pathname;
  const { HEDDLE_LAB_CONTROLLER, HEDDLE_LAB_AGENT, HEDDLE_LAB_CNI_DIR } = process.env;
  const found: Programs = {
    controller: HEDDLE_LAB_CONTROLLER ?? `${apps}controller/dist/main.js`,
    agent: HEDDLE_LAB_AGENT ?? `${apps}node-agent/dist/main.js`,
    cniDir: HEDDLE_LAB_CNI_DIR ?? `${apps}node-agent/dist`,
    podProgram: `${lab}dist/pod/main.js`,
    kubelet: `${lab}dist/kubelet/main.js`,
    forward: `${lab}dist/kube/forward.js`,
  };
  const missing = [found.controller, found.agent, `${found.cniDir}/heddle-cni`, found.podProgram, found.kubelet].filter(
    (f) => !existsSync(f),
  );
  if (missing.length > 0) throw new Error(`not built: ${missing.join(', ')}${NO_PROGRAM}`);
  return found;
}
