/** Another number each time that a switch has acknowledged a change of what it judges packets by. */
export class PolicyEpoch {
  #value: number | undefined;
  /** A bundle that changes what packets are judged by was sent, and no success has been told of since. */
  #sent = false;

  /** There is none before the first such change. */
  get value(): number | undefined {
    return this.#value;
  }

  /** A bundle is sent; `judgement` says whether it changes what packets are judged by. */
  sending(judgement: boolean): void {
    this.#sent ||= judgement;
  }

  /** The switch had no flows of ours: it has judged no packet yet. */
  isEmpty(): void {
    this.#sent = false;
  }

  /** The switch has everything that was sent. True if the number is another one now. */
  acknowledged(): boolean {
    if (!this.#sent) return false;
    this.#sent = false;
    // By the clock, so that no controller gives a number that an earlier one gave.
    this.#value = Math.max(Date.now(), (this.#value ?? 0) + 1);
    return true;
  }
}
