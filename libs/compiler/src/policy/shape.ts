import type { Cidr } from '../model/brands.js';
import type { Prefix } from '../pipeline/address.js';
import type { RulePorts } from './ports.js';

export type Direction = 'ingress' | 'egress';
export const DIRECTIONS = ['ingress', 'egress'] as const;

/** A peer of a rule as the policy says it. A peer that says nothing selects nothing. */
export type PeerShape =
  | {
      readonly kind: 'pods';
      /** Canonical selector; undefined: the policy's own namespace. */
      readonly namespaceSelector: string | undefined;
      readonly podSelector: string;
      readonly selection: string;
    }
  | {
      readonly kind: 'block';
      readonly cidr: Cidr;
      readonly except: readonly Cidr[];
      readonly prefixes: readonly Prefix[];
    };

export interface RuleShape {
  readonly direction: Direction;
  /** Place in the policy's list, from 0. */
  readonly index: number;
  /** Undefined: every peer. */
  readonly peers: readonly PeerShape[] | undefined;
  readonly ports: RulePorts;
}

/** A policy in canonical form. */
export interface PolicyShape {
  readonly namespace: string;
  readonly name: string;
  readonly podSelector: string;
  /** Selection of the subjects. */
  readonly subjects: string;
  readonly isolates: readonly Direction[];
  readonly rules: readonly RuleShape[];
}
