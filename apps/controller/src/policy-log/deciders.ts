import {
  type Compiler,
  clusterPolicyName,
  type Direction,
  type Flow,
  type NodeName,
  parseCookie,
  ruleObject,
} from '@heddle/compiler';
import type { Ledger } from '../allocation/ledger.js';

/** Who decided over a packet: a rule, or the isolation by a policy. */
export interface Decider {
  /** Key of the policy: NAMESPACE/NAME, or /NAME of a cluster policy. */
  readonly policy: string;
  readonly direction: Direction;
  /** Place of the rule in the policy's list; null: no rule allowed it, and the policy isolates the pod. */
  readonly rule: number | null;
  /** What is counted under: the recorded text of the rule, or one of ours for what isolation drops. */
  readonly object: string;
  readonly verdict: 'allowed' | 'denied' | 'passed';
}

/** What a rule's action is called once it has decided. */
export const VERDICT = { Accept: 'allowed', Deny: 'denied', Pass: 'passed' } as const;

/** The policy under a key, of either kind. */
export function policyFact(compiler: Pick<Compiler, 'fact'>, key: string) {
  const name = clusterPolicyName(key);
  return name === undefined ? compiler.fact('policy', key) : compiler.fact('clusterPolicy', name);
}

/** Text under which is counted what a policy's isolation drops. */
export const isolationObject = (policy: string, direction: Direction): string => `isolated/${policy}/${direction}`;

/** What is counted for a rule that is recorded under this text: an edition of a rule goes on where the one before was. */
export const countedObject = (text: string): string => text.replace(/@[0-9a-f]+$/, '');

// A namespace and a NetworkPolicy have no slash in their names, a cluster policy has one after `anp` and `banp`.
const RULE = /^policy\/((?:[^/]+|(?=\/))\/(?:(?<=\/\/)(?:anp\/|banp\/))?[^/]+)\/(ingress|egress)\/(.+)$/;
const ISOLATION = /^isolation\/(ingress|egress)\/(\d+)$/;
const ISOLATED = /^isolated\/(.+)\/(ingress|egress)$/;
const SHARED = 'shared/';
/** Whom numbers stood for that nobody stands for now: their flows may still be counted while they go. */
const MAX_REMEMBERED = 50_000;

/** Tells from the numbers that switches know which policies and rules they mean. */
export class Deciders {
  readonly #remembered = new Map<number, readonly Decider[]>();

  constructor(
    private readonly compiler: Pick<Compiler, 'fact' | 'isolatedBy' | 'node' | 'policy' | 'clusterPolicy'>,
    private readonly ledger: Pick<Ledger, 'keyOf'>,
  ) {}

  /** Several where one flow decides for several; the last ones that there were, where there are none any more. */
  of(node: NodeName, object: number): readonly Decider[] {
    const text = this.ledger.keyOf('object', object);
    if (text === undefined) return [];
    const now = this.#ofText(node, text);
    if (now.length === 0) return this.#remembered.get(object) ?? [];
    // A rule's number says all by itself.
    if (!text.startsWith('policy/')) this.#keep(object, now);
    return now;
  }

  /** Whom a text is about that things are counted under; undefined if there is no such policy or rule any more. */
  named(object: string): Decider | undefined {
    const [, policy = '', direction] = ISOLATED.exec(object) ?? [];
    const isolated = direction === undefined ? undefined : this.#isolation([policy], direction as Direction)[0];
    const decider = isolated ?? this.#ofText('' as NodeName, object)[0];
    return decider !== undefined && this.#isThere(decider) ? decider : undefined;
  }

  /** Key of the policy that such a text is about, whether it is there or not. */
  policyIn(object: string): string | undefined {
    return ISOLATED.exec(object)?.[1] ?? RULE.exec(object)?.[1];
  }

  #isThere({ policy, direction, rule }: Decider): boolean {
    const rules = policyFact(this.compiler, policy)?.[direction];
    return rules !== undefined && (rule === null || rule < rules.length);
  }

  /** Keeps whom a flow stood for that goes away; of what isolation drops only its flow can tell then. */
  remember({ cookie, provenance }: Flow): void {
    const object = parseCookie(cookie)?.objectId;
    const text = object === undefined ? undefined : this.ledger.keyOf('object', object);
    const [, direction] = ISOLATION.exec(text ?? '') ?? [];
    if (object === undefined || direction === undefined) return;
    const policies = provenance.owners.map(({ namespace, name }) => `${namespace}/${name}`);
    this.#keep(object, this.#isolation(policies, direction as Direction));
  }

  #keep(object: number, deciders: readonly Decider[]): void {
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(object, deciders);
  }

  /** What drops is counted for each that isolates. */
  #isolation(policies: readonly string[], direction: Direction): readonly Decider[] {
    return policies.map((policy) => ({
      policy,
      direction,
      rule: null,
      object: isolationObject(policy, direction),
      verdict: 'denied',
    }));
  }

  #ofText(node: NodeName, text: string): readonly Decider[] {
    const [, policy, direction, place] = RULE.exec(text) ?? [];
    if (policy !== undefined && place !== undefined)
      return this.#rule(countedObject(text), policy, direction as Direction, countedObject(place));
    const [, side, identity] = ISOLATION.exec(text) ?? [];
    if (side !== undefined)
      return this.#isolation(this.compiler.isolatedBy(side as Direction, Number(identity)), side as Direction);
    if (!text.startsWith(SHARED)) return [];
    const flow = this.compiler.node(node)?.flows.get(text.slice(SHARED.length));
    return (flow?.provenance.objects ?? []).flatMap((object) => this.of(node, object));
  }

  #rule(object: string, policy: string, direction: Direction, place: string): readonly Decider[] {
    const name = clusterPolicyName(policy);
    if (name === undefined) return [{ policy, direction, rule: Number(place), object, verdict: 'allowed' }];
    const rules = this.compiler.fact('clusterPolicy', name)?.[direction] ?? [];
    const rule = /^\d+$/.test(place)
      ? Number(place)
      : this.compiler
          .clusterPolicy(name)
          ?.rules.find((r) => r.direction === direction && countedObject(ruleObject(policy, r)) === object)?.index;
    if (rule === undefined) return [];
    const { action } = rules[rule] ?? { action: 'Accept' };
    return [{ policy, direction, rule, object, verdict: VERDICT[action] }];
  }
}
