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
  readonly groups?: readonly Group[] | undefined;
}

/**
 * A part whose flows are made when the first node asks for them. What it is made from must be settled already: `make` is a
 * pure function of values, it may not read facts.
 */
export function later(make: () => Part): Part {
  return new LazyPart(make);
}

class LazyPart implements Part {
  private made: Part | undefined;
  private make: (() => Part) | undefined;
  constructor(make: () => Part) {
    this.make = make;
  }

  get flows(): readonly Flow[] {
    return this.get().flows;
  }
  get groups(): readonly Group[] | undefined {
    return this.get().groups;
  }

  private get(): Part {
    if (this.made === undefined) {
      this.made = this.make?.() ?? { flows: [] };
      this.make = undefined;
    }
    return this.made;
  }
}

/** What a feature wants on the switches. */
export type Fragment = readonly { readonly part: Part; readonly placement: Placement }[];
