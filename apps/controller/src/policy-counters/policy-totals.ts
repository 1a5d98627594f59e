import type { Compiler } from '@heddle/compiler';
import { type Decider, type Deciders, policyFact } from '../policy-log/deciders.js';
import type { Total } from './accumulator.js';

/** Totals of a policy by what came of the packets. */
export interface PolicyTotal {
  /** Key of the policy. */
  readonly policy: string;
  readonly allowed: number;
  readonly denied: number;
}

/** Whom a total was for when it was looked up. */
interface Known {
  readonly policy: string | undefined;
  readonly fact: ReturnType<typeof policyFact>;
  readonly decider: Decider | undefined;
}

/**
 * Adds up totals of rules by policy. Asked again and again of up to tens of thousands of them, it looks again at what a text
 * says only after the policy has changed: facts are values, so that an equal policy is the same one.
 */
export class PolicyTotals {
  readonly #known = new WeakMap<Total, Known>();

  constructor(
    private readonly compiler: Pick<Compiler, 'fact'>,
    private readonly deciders: Pick<Deciders, 'named' | 'policyIn'>,
  ) {}

  /** Of the policies that there are and that have decided anything, by key. */
  of(totals: ReadonlyMap<string, Total>): ReadonlyMap<string, PolicyTotal> {
    const all = new Map<string, { policy: string; allowed: number; denied: number }>();
    for (const [object, counted] of totals) {
      const decider = this.#deciderOf(object, counted);
      if (decider === undefined || decider.verdict === 'passed') continue;
      const { policy, verdict } = decider;
      const total = all.get(policy) ?? { policy, allowed: 0, denied: 0 };
      total[verdict] += counted.packets;
      all.set(policy, total);
    }
    return all;
  }

  #deciderOf(object: string, counted: Total): Decider | undefined {
    let known = this.#known.get(counted);
    const policy = known === undefined ? this.deciders.policyIn(object) : known.policy;
    const fact = policy === undefined ? undefined : policyFact(this.compiler, policy);
    if (known === undefined || known.fact !== fact) {
      known = { policy, fact, decider: this.deciders.named(object) };
      this.#known.set(counted, known);
    }
    return known.decider;
  }
}
