import { ControlSocket } from './control-socket.js';
import { mayKeepDecisions } from './stale-decisions.js';

/** How often in the long run: after a purge every packet of a kind not seen since costs the switch a walk through its tables. */
const INTERVAL_MS = 1_000;
/** How many at once after a time of rest: people who change one policy after the other see each take effect. */
const BURST = 5;
const ANSWER_TIMEOUT_MS = 5_000;
/** A decision that a revalidator is looking at is passed over; packets make new ones meanwhile, so it cannot be asked until none is left. */
const ATTEMPTS = 3;
/** The one datapath of a userspace switch (ovs-vswitchd(8), "dpctl commands"). */
const DATAPATH = 'netdev@ovs-netdev';

/** `not-needed`: this release of Open vSwitch takes every change over into its cache. */
export type Purged = 'purged' | 'not-needed';

/** Empties the cache of decisions of the userspace datapath whose ovs-vswitchd has its control socket in the folder, if it needs that. @throws Error */
export function purgeDecisions(folder: string): Promise<Purged> {
  return ControlSocket.withVswitchd(folder, ANSWER_TIMEOUT_MS, async (control, version) => {
    if (!mayKeepDecisions(version)) return 'not-needed';
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      await control.ask('revalidator/purge');
      if (/^\s*flows: 0$/m.test(await control.ask('dpctl/show', DATAPATH))) break;
    }
    return 'purged';
  });
}

export interface PolicyPurgeOptions {
  readonly purge: () => Promise<Purged>;
  readonly now: () => number;
  readonly logger: { info(fields: object, event: string): void; warn(fields: object, event: string): void };
}

/**
 * Has the cache emptied when the controller says that policies have changed in the switch: at once, up to five times in a row, and
 * while changes go on once a second, with the last of them at the latest a second after it.
 */
export class PolicyPurge {
  #epoch = 0;
  #needed = true;
  #failed = false;
  /** When all that was spent will have come back. */
  #restedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: PolicyPurgeOptions) {}

  /** The epoch to tell the controller, so that it answers when there is another; undefined if we need not know. */
  get epoch(): number | undefined {
    return this.#needed ? this.#epoch : undefined;
  }

  /** How long not to ask for another epoch, in milliseconds: what changes meanwhile is then one. */
  get restMs(): number {
    return Math.max(0, this.#restedAt - (BURST - 1) * INTERVAL_MS - this.options.now());
  }

  /**
   * Takes what the controller said. A purge that fails is not repeated: the cache lives in the process that did not answer.
   * @returns whether this epoch was news
   */
  async take(epoch: number | undefined): Promise<boolean> {
    if (epoch === undefined || epoch === this.#epoch || !this.#needed) return false;
    const { purge, now, logger } = this.options;
    this.#epoch = epoch;
    this.#restedAt = Math.max(this.#restedAt, now()) + INTERVAL_MS;
    try {
      // For as long as this agent runs: who installs an older Open vSwitch starts the agent anew.
      this.#needed = (await purge()) === 'purged';
      this.#failed = false;
      if (this.#needed) logger.info({ policyEpoch: epoch }, 'datapath_purged');
    } catch (err) {
      if (!this.#failed) logger.warn({ err }, 'datapath_not_purged');
      this.#failed = true;
    }
    return true;
  }
}
