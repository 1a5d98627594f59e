import type { Clock } from '../clock.js';
import type { SourceConfig } from '../config/config.js';
import { createKubeClient } from '../kubernetes/kube-client.js';
import type { Logger } from '../logging/logger.js';
import type { Database } from '../persistence/database.js';
import { SourceTexts } from '../persistence/source-texts.js';
import { KubernetesSource } from '../source/kubernetes/kubernetes-source.js';
import { ManifestsSource } from '../source/manifests/manifests-source.js';
import type { Problem, Source } from '../source/model.js';
import type { ClusterConnection } from './write-back.js';

export interface SourceNeeds {
  readonly config: SourceConfig;
  readonly clock: Clock;
  readonly database: Database;
  readonly logger: Logger;
}

/** The source that the configuration names; with what writes back to it if it is a cluster. @throws Error that says what to do */
export async function createSource(
  needs: SourceNeeds,
): Promise<{ readonly source: Source; readonly cluster: ClusterConnection | undefined }> {
  const { config, clock, database, logger } = needs;
  const events = {
    onError: (error: unknown) => logger.error({ event: 'source-failed', error }),
    onProblem: (problem: Problem) => logger.warn({ event: 'source-problem', ...problem }),
  };
  if (config.kind === 'kubernetes') {
    const client = await createKubeClient(config.kubeconfig, clock);
    const source = new KubernetesSource({ client, clock, ...events });
    return { source, cluster: { client, source, lease: config.lease } };
  }
  const { directory } = config;
  const source = new ManifestsSource({ directory, clock, lastGood: new SourceTexts(database), ...events });
  return { source, cluster: undefined };
}
