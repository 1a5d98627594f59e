import {
  type Compiler,
  clusterPolicyName,
  clusterPolicyObject,
  parseCookie,
  readRegister,
  TABLE_ID,
} from '@heddle/compiler';
import type { Allocations } from '../allocation/allocations.js';
import type { PacketInEvent } from '../core/ports.js';
import { packetTuple } from '../packets/tuple.js';
import { type Decider, type Deciders, policyFact } from './deciders.js';
import type { Verdict, VerdictEvent, VerdictLog } from './verdict-log.js';

export interface PolicyLogOptions {
  readonly compiler: Pick<Compiler, 'fact'>;
  readonly allocations: Pick<Allocations, 'attachments' | 'nodes'>;
  readonly deciders: Deciders;
  readonly log: VerdictLog;
}

/** Which events somebody asks for; all of it must be met. */
export interface EventFilter {
  /** NAMESPACE/NAME, or the name of a cluster policy. */
  readonly policy?: string | undefined;
  /** NAMESPACE/POD at either end. */
  readonly pod?: string | undefined;
  readonly verdict?: 'allowed' | 'denied' | undefined;
  /** Events after the one with this number. */
  readonly after?: number | undefined;
}

/** A policy's name as people say it. */
export const policyName = (key: string): string => clusterPolicyName(key) ?? key;

/** Namespace (empty for cluster policies) and name of the policy under a key. */
export function partsOfPolicy(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The Kubernetes object that the policy under a key is. */
export function objectOfPolicy(key: string): {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
} {
  const name = clusterPolicyName(key);
  return name === undefined
    ? { kind: 'NetworkPolicy', ...partsOfPolicy(key) }
    : { namespace: '', ...clusterPolicyObject(name) };
}

/** Makes verdicts of the packets that flows of policies tell of. */
export class PolicyLog {
  constructor(private readonly options: PolicyLogOptions) {}

  get newest(): number {
    return this.options.log.newest;
  }

  /** Packets of other tables are left alone. */
  take(event: PacketInEvent): void {
    if (parseCookie(event.cookie)?.feature !== 'policyLog') return;
    if (event.tableId === TABLE_ID.Denied) this.#decided(event, 'denied', readRegister(event.fields, 'deniedBy'));
    else if (event.tableId === TABLE_ID.PolicyLog)
      for (const register of ['egressRule', 'ingressRule'] as const)
        this.#decided(event, 'allowed', readRegister(event.fields, register));
  }

  events(filter: EventFilter, limit: number): readonly VerdictEvent[] {
    const { policy, pod, verdict, after = 0 } = filter;
    return this.options.log.events(
      (e) =>
        e.seq > after &&
        (verdict === undefined || e.verdict === verdict) &&
        (policy === undefined || e.policies.includes(policy)) &&
        (pod === undefined || e.from === pod || e.to === pod),
      limit,
    );
  }

  #decided(event: PacketInEvent, verdict: Verdict['verdict'], object: number): void {
    if (object === 0) return;
    const tuple = packetTuple(event.data);
    if (tuple === undefined) return;
    const { source, destination, protocol, port } = tuple;
    const { node } = event;
    this.options.log.take(node, [node, object, source, destination, protocol, port].join(' '), () => {
      const deciders = this.options.deciders.of(node, object);
      // The packet may have been sent for another rule's sake, or for a policy that has changed its mind since.
      const asking = deciders.filter((d) => this.#asks(d, verdict));
      const [first] = asking;
      if (first === undefined) return undefined;
      // Of those who isolate each is named, whoever of them asked.
      const named = first.rule === null ? deciders : asking;
      const policies = [...new Set(named.map((d) => policyName(d.policy)))].sort();
      const ends = { from: this.#end(source), to: this.#end(destination) };
      return { verdict, direction: first.direction, node, ...ends, protocol, port, policies, rule: first.rule };
    });
  }

  #asks({ policy }: Decider, verdict: Verdict['verdict']): boolean {
    const fact = policyFact(this.options.compiler, policy);
    return fact?.logging === 'all' || (fact?.logging === 'drops' && verdict === 'denied');
  }

  #end(address: string): string {
    const { attachments, nodes } = this.options.allocations;
    const pod = attachments.ofAddress(address)?.record;
    if (pod !== undefined) return `${pod.namespace}/${pod.pod}`;
    const node = nodes.ofAddress(address);
    return node === undefined ? address : `node ${node.name}`;
  }
}
