import type { Problem } from '../source/model.js';

/** What is wrong beside the source: the parts of the controller that can tell are asked whenever somebody wants to know. */
export class OwnProblems {
  private readonly tellers: (() => readonly Problem[])[] = [];

  add(teller: () => readonly Problem[]): void {
    this.tellers.push(teller);
  }

  all(): Problem[] {
    return this.tellers.flatMap((tell) => tell());
  }
}
