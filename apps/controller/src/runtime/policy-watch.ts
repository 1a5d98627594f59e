import { type Compiler, nodeName } from '@heddle/compiler';
import type { Allocations } from '../allocation/allocations.js';
import type { Clock } from '../clock.js';
import type { SwitchesPort } from '../core/ports.js';
import type { Logger } from '../logging/logger.js';
import type { Metrics } from '../metrics/metrics.js';
import type { Database } from '../persistence/database.js';
import { PolicyCounters } from '../policy-counters/policy-counters.js';
import { Deciders } from '../policy-log/deciders.js';
import { PolicyLog } from '../policy-log/policy-log.js';
import { VerdictLog } from '../policy-log/verdict-log.js';

/** Times that specs shorten; see VerdictLogOptions and PolicyCountersOptions. */
export interface PolicyWatchTimes {
  readonly windowMs?: number | undefined;
  readonly readIntervalMs?: number | undefined;
  readonly writeIntervalMs?: number | undefined;
}

export interface PolicyWatchNeeds {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly metrics: Metrics;
  readonly database: Database;
  readonly allocations: Allocations;
  readonly compiler: Compiler;
  readonly switches: SwitchesPort;
  /** Something that waiters may look at has changed. */
  readonly changed: () => void;
  readonly times?: PolicyWatchTimes | undefined;
}

/** What becomes known of policies at work: the log of what they decided, and how often their rules did. */
export class PolicyWatch {
  private constructor(
    readonly log: PolicyLog,
    readonly counters: PolicyCounters,
    private readonly verdicts: VerdictLog,
  ) {}

  /** Reads what was counted before. */
  static async create(needs: PolicyWatchNeeds): Promise<PolicyWatch> {
    const { logger, clock, wallClock, metrics, database, allocations, compiler, switches, changed, times } = needs;
    const deciders = new Deciders(compiler, allocations.ledger);
    const verdicts = new VerdictLog({
      clock,
      wallClock,
      windowMs: times?.windowMs,
      write: ({ time, ...event }) => {
        metrics.policyVerdicts.inc({ verdict: event.verdict }, event.count);
        logger.info({ event: 'policy-verdict', since: time, ...event });
        changed();
      },
      suppressed: (node, count) => {
        metrics.policyVerdictsSuppressed.inc({ node }, count);
        logger.warn({ event: 'policy-verdicts-suppressed', node, count });
      },
    });
    const log = new PolicyLog({ compiler, allocations, deciders, log: verdicts });
    switches.onPacketIn((event) => log.take(event));
    const counters = new PolicyCounters({
      database,
      compiler,
      deciders,
      switches,
      nodes: () => allocations.nodes.all().map((n) => nodeName(n.name)),
      clock,
      wallClock,
      random: Math.random,
      failed: (error) => logger.error({ event: 'policy-counters-failed', error }),
      readIntervalMs: times?.readIntervalMs,
      writeIntervalMs: times?.writeIntervalMs,
    });
    await counters.load();
    return new PolicyWatch(log, counters, verdicts);
  }

  start(): void {
    this.counters.start();
  }

  /** When no switch tells anything any more. */
  async stop(): Promise<void> {
    this.verdicts.stop();
    await this.counters.stop();
  }
}
