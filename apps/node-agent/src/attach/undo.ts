/** One thing to take back. */
interface Step {
  readonly what: string;
  readonly undo: () => Promise<void>;
}

/**
 * What an operation has begun, to be taken back in the opposite order if it fails. A step is noted before it is
 * begun: after a time-out nobody knows whether it happened, so taking it back must be harmless where it did not.
 */
export class UndoList {
  readonly #steps: Step[] = [];

  note(what: string, undo: () => Promise<void>): void {
    this.#steps.push({ what, undo });
  }

  /** Takes everything back; a step that cannot be does not stop the others. Returns what remained, and why. */
  async rollback(): Promise<{ readonly what: string; readonly error: unknown }[]> {
    const remained: { what: string; error: unknown }[] = [];
    for (const step of this.#steps.splice(0).reverse())
      await step.undo().catch((error: unknown) => remained.push({ what: step.what, error }));
    return remained;
  }
}
