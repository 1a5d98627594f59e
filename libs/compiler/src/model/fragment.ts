import type { NodeName } from './brands.js';
import type { Flow, Group } from './output.js';

/** Where flows go. */
export type Placement =
  | { readonly kind: 'all' }
  | { readonly kind: 'except'; readonly node: NodeName }
  | { readonly kind: 'nodes'; readonly nodes: readonly NodeName[] };

export const EVERYWHERE: Placement = { kind: 'all' };
export const except = (node: NodeName): Placement => ({ kind: 'except', node });
export const only = (...nodes: readonly NodeName[]): Placement => ({ kind: 'nodes', nodes });

/** Flows and groups that always go together. Equal flows of many nodes are one object here. */
export interface Part {
  readonly flows: readonly Flow[];
  readonly groups?: readonly Group[];
}

/** What a feature wants on the switches. */
export type Fragment = readonly { readonly part: Part; readonly placement: Placement }[];
