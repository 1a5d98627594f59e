import { ApiClient } from '@heddle/api';
import { type Compiler, createCompiler } from '@heddle/compiler';
import { type Clock, systemClock } from '../clock.js';
import { readConfig } from '../config/config.js';
import { Controller } from '../controller.js';
import { createLogger } from '../logging/logger.js';
import type { RuntimeOptions } from '../runtime/runtime.js';
import { FakeSwitches } from './fake-switches.js';
import type { TestFolder } from './folder.js';

export interface Harness {
  readonly controller: Controller;
  readonly client: ApiClient;
  readonly switches: FakeSwitches;
  readonly compiler: Compiler;
  readonly folder: TestFolder;
  stop(): Promise<void>;
}

/** A controller on a unix socket with real HTTP, a real database and a real source, the real compiler, but no switches. */
export async function startHarness(
  folder: TestFolder,
  environment: Readonly<Record<string, string>> = {},
  clock: Clock = systemClock,
): Promise<Harness> {
  const config = readConfig({
    HEDDLE_SOURCE: `manifests:${folder.manifests}`,
    HEDDLE_DATABASE_URL: 'sqlite::memory:',
    HEDDLE_OPENFLOW_LISTEN: 'tcp:0.0.0.0:6653',
    HEDDLE_OVSDB_LISTEN: 'tcp:0.0.0.0:6640',
    HEDDLE_API_LISTEN: `unix:${folder.socket}`,
    HEDDLE_LOG_LEVEL: 'fatal',
    ...environment,
  });
  const switches = new FakeSwitches();
  let compiler: Compiler | undefined;
  const options: RuntimeOptions = {
    config,
    logger: createLogger(config.logLevel),
    clock,
    createCompiler: (ids) => {
      compiler = createCompiler(ids);
      return compiler;
    },
    createSouthbound: () => ({
      switches,
      ovsdb: { state: () => undefined },
      start: async () => {},
      stop: async () => {},
    }),
  };
  const controller = await Controller.start(options);
  if (compiler === undefined) throw new Error('no compiler was made');
  return {
    controller,
    client: new ApiClient({ url: `unix:${folder.socket}` }),
    switches,
    compiler,
    folder,
    stop: () => controller.stop(),
  };
}
