import type { LabelSelector } from '@heddle/compiler';

/** Why no set of labels can ever meet the selector; undefined if one can. */
export function contradictionOf(selector: LabelSelector): string | undefined {
  const byKey = new Map<string, Demand>();
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) demandOf(byKey, key).in([value]);
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const demand = demandOf(byKey, key);
    if (operator === 'In') demand.in(values);
    else if (operator === 'NotIn') demand.notIn(values);
    else if (operator === 'Exists') demand.present = true;
    else demand.absent = true;
  }
  for (const [key, demand] of byKey) {
    if (demand.absent && demand.present) return `the label ${key} would have to be there and not to be there`;
    if (demand.allowed?.size === 0) return `no value of the label ${key} meets every requirement`;
  }
  return undefined;
}

/** What a selector asks of one label. */
class Demand {
  present = false;
  absent = false;
  /** Undefined: any value. */
  allowed: ReadonlySet<string> | undefined;
  private readonly forbidden = new Set<string>();

  in(values: readonly string[]): void {
    this.present = true;
    const both = this.allowed === undefined ? values : values.filter((v) => this.allowed?.has(v));
    this.allowed = new Set(both.filter((v) => !this.forbidden.has(v)));
  }

  /** A label that is not there is "not in" too, so nothing is asked of its presence. */
  notIn(values: readonly string[]): void {
    for (const value of values) this.forbidden.add(value);
    if (this.allowed !== undefined) this.in([...this.allowed]);
  }
}

function demandOf(byKey: Map<string, Demand>, key: string): Demand {
  const demand = byKey.get(key) ?? new Demand();
  byKey.set(key, demand);
  return demand;
}
