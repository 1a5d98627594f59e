import type { LabelSelector, Labels } from '@heddle/compiler';

type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

const OPERATORS: Readonly<
  Record<Expression['operator'], (value: string | undefined, values: readonly string[]) => boolean>
> = {
  In: (value, values) => value !== undefined && values.includes(value),
  // As in Kubernetes: a label that is not there is "not in".
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
};

/** Whether a metav1.LabelSelector selects these labels. */
export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  return (
    matchesLabels(selector.matchLabels ?? {}, labels) &&
    (selector.matchExpressions ?? []).every((e) => OPERATORS[e.operator](labels[e.key], e.values ?? []))
  );
}

/** Whether every wanted label is there. */
export function matchesLabels(wanted: Labels, labels: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}
