import type { Clock } from '../clock.js';
import type { Engine } from '../core/engine.js';
import type { FactTable } from '../core/fact-table.js';
import type { SwitchesPort } from '../core/ports.js';
import type { Watchers } from '../core/watchers.js';
import type { Logger } from '../logging/logger.js';
import type { Database } from '../persistence/database.js';
import { DomainObserver } from './domain-observer.js';
import { DomainRecords } from './domain-records.js';
import { FirstPackets } from './first-packets.js';
import type { WantedNames } from './wanted-names.js';

export interface DomainWatchNeeds {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  readonly logger: Logger;
  readonly database: Database;
  readonly facts: FactTable;
  readonly wanted: WantedNames;
  readonly engine: Pick<Engine, 'update' | 'isRealized'>;
  readonly watchers: Watchers;
  readonly switches: SwitchesPort;
}

/** What follows the names of policies. */
export interface DomainWatch {
  readonly observer: DomainObserver;
  readonly firstPackets: FirstPackets;
}

/** Puts it together; the facts have what was recorded then. */
export async function createDomainWatch(needs: DomainWatchNeeds): Promise<DomainWatch> {
  const { clock, wallNow, logger, database, facts, wanted, engine, watchers, switches } = needs;
  const firstPackets = new FirstPackets({
    clock,
    switches,
    realized: (node, generation, timeoutMs) => watchers.until(() => engine.isRealized(node, generation), timeoutMs),
  });
  const observer = new DomainObserver({
    clock,
    wallNow,
    wanted,
    records: new DomainRecords(database),
    switches,
    update: (put) => engine.update(put),
    learned: (address, generation) => firstPackets.learned(address, generation),
    full: (addresses) => logger.warn({ event: 'domain-addresses-full', addresses }),
    failed: (what, error) => logger.error({ event: 'operation-failed', what, error }),
  });
  await observer.load(facts);
  return { observer, firstPackets };
}
