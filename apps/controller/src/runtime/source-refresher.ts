import type { Logger } from '../logging/logger.js';
import type { Source } from '../source/model.js';

/** Asks the source to look again now, for callers that expect something new but do not depend on it. */
export class SourceRefresher {
  constructor(
    private readonly source: Source,
    private readonly logger: Logger,
  ) {}

  refreshInBackground(): void {
    if (!this.source.refreshHastens) return;
    this.source.refresh().catch((error: unknown) => this.logger.error({ event: 'source-refresh-failed', error }));
  }
}
