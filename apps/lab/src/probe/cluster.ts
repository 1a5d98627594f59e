import { type ApiClient, PodView, ROUTES, ServiceView } from '@heddle/api';
import { z } from 'zod';
import type { LabPaths } from '../host/paths.js';
import { readPods } from '../host/state.js';
import type { Cluster } from './targets.js';

/** What runs, and what the controller says about it. */
export async function readCluster(paths: LabPaths, api: ApiClient): Promise<Cluster> {
  const [pods, podViews, services] = await Promise.all([
    readPods(paths),
    api.get(ROUTES.pods, z.array(PodView)),
    api.get(ROUTES.services, z.array(ServiceView)),
  ]);
  return { pods: pods.filter((p) => p.phase === 'running'), podViews, services };
}
