import type { SwitchDatabase } from './database.js';

/** A sign of life counts this long: runtimes ask for the status every few seconds, and each question costs the switch a look at its configuration. */
const VALID_MS = 10_000;
const ANSWER_TIMEOUT_MS = 2_000;

/** Whether ovs-vswitchd does its work. Its database answers without it, so it is asked to take note of a configuration that has not changed. */
export class SwitchLiveness {
  #aliveUntil = 0;
  #asking: Promise<string | undefined> | undefined;

  constructor(private readonly database: SwitchDatabase) {}

  /** What is wrong, or undefined. */
  async check(): Promise<string | undefined> {
    if (performance.now() < this.#aliveUntil) return undefined;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<string | undefined> {
    try {
      const draft = this.database.client.transaction('Open_vSwitch');
      await draft.commit({ waitForVswitchd: true, timeoutMs: ANSWER_TIMEOUT_MS });
      this.#aliveUntil = performance.now() + VALID_MS;
      return undefined;
    } catch (e) {
      return `ovs-vswitchd does not answer: ${e instanceof Error ? e.message : String(e)}`;
    }
  }
}
