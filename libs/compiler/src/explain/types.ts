import type { Family, Ip } from '../model/brands.js';
import type { L4Protocol } from '../model/facts.js';
import type { ObjectRef } from '../model/output.js';

/** One end of a question. */
export type ExplainEnd =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'service'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'ip'; readonly ip: Ip };

/** May `from` open a connection to `to`? `from` is a pod or an address. */
export interface ExplainQuery {
  readonly from: Exclude<ExplainEnd, { readonly kind: 'service' }>;
  readonly to: ExplainEnd;
  readonly protocol: L4Protocol | 'ICMP';
  /** Port that the sender writes; undefined for ICMP. */
  readonly port?: number | undefined;
}

/** `rejected`: refused at once. `unknown`: there is no answer, and the reason says why. */
export type Verdict = 'allowed' | 'denied' | 'rejected' | 'unknown';

/** Something that decided, where it did and on whose behalf. */
export interface Decision {
  readonly node: string;
  /** Table of the pipeline, or `facts` where no switch was asked. */
  readonly stage: string;
  readonly decision: string;
  readonly objects: readonly ObjectRef[];
  readonly reason: string;
}

/** A rule that would have allowed the packet but for one condition. */
export interface NearMiss {
  readonly object: ObjectRef;
  /** `ingress rule 0`. */
  readonly rule: string;
  readonly because: string;
}

export interface MetFlow {
  readonly node: string;
  readonly table: string;
  /** As ovs-ofctl writes it. */
  readonly text: string;
  readonly owners: readonly ObjectRef[];
}

export interface ExplainPath {
  readonly family: Family;
  readonly source: string;
  readonly destination: string;
  readonly verdict: Verdict;
  readonly decisions: readonly Decision[];
  readonly nearMisses: readonly NearMiss[];
  readonly flows: readonly MetFlow[];
}

/** What the REST API's ExplainView shows. */
export interface Explanation {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly port: number | null;
  readonly verdict: Verdict;
  readonly summary: string;
  readonly paths: readonly ExplainPath[];
}
