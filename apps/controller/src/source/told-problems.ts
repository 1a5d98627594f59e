import type { Problem } from './model.js';

/** Tells of each problem once, when it appears; of one that comes again after it was mended, again. */
export class ToldProblems {
  private told: ReadonlySet<string> = new Set();

  constructor(private readonly tell: ((problem: Problem) => void) | undefined) {}

  /** @param problems all that there are now */
  update(problems: readonly Problem[]): void {
    const { told } = this;
    const now = new Map(problems.map((p) => [JSON.stringify(p), p]));
    this.told = new Set(now.keys());
    for (const [text, problem] of now) if (!told.has(text)) this.tell?.(problem);
  }
}
