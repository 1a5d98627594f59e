import { join } from 'node:path';
import type { TestFolder } from '../../apps/controller/src/testing/folder.js';

/** Environment of a controller that keeps everything in a folder, reads manifests there, and takes switches at a port. */
export const controllerEnvironment = (folder: TestFolder, port: number): Readonly<Record<string, string>> => ({
  HEDDLE_SOURCE: `manifests:${folder.manifests}`,
  HEDDLE_DATABASE_URL: `sqlite:${join(folder.path, 'db')}`,
  HEDDLE_OPENFLOW_LISTEN: `tcp:127.0.0.1:${port}`,
  HEDDLE_OVSDB_LISTEN: `unix:${join(folder.path, 'ovsdb.sock')}`,
  HEDDLE_API_LISTEN: `unix:${folder.socket}`,
  HEDDLE_LOG_LEVEL: 'error',
});
