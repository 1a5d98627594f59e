import type { LabelSelector, Labels } from '../model/facts.js';
import { sorted, sortedLabels } from './canonical.js';

type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
type Requirement = readonly [key: string, operator: Operator, ...values: string[]];

/** Label keys that a selector looks at; some perhaps more than once. */
export function labelKeysOf({ matchLabels = {}, matchExpressions }: LabelSelector): readonly string[] {
  const keys = Object.keys(matchLabels).filter((key) => matchLabels[key] !== undefined);
  if (matchExpressions === undefined) return keys;
  for (const { key } of matchExpressions) keys.push(key);
  return keys;
}

/** A selector in canonical text: requirements in a fixed order, matchLabels said as In. Equal selectors are equal texts. */
export function canonicalSelector(selector: LabelSelector): string {
  const simple = selector.matchExpressions === undefined ? Object.entries(selector.matchLabels ?? {}) : undefined;
  if (simple?.length === 0) return '[]';
  const [only] = simple ?? [];
  if (only?.[1] !== undefined && simple?.length === 1) return JSON.stringify([[only[0], 'In', only[1]]]);
  const requirements: Requirement[] = sortedLabels(selector.matchLabels ?? {}).map(([k, v]) => [k, 'In', v]);
  for (const e of selector.matchExpressions ?? [])
    requirements.push([e.key, e.operator, ...sorted(new Set(e.values ?? []))]);
  return `[${sorted(new Set(requirements.map((r) => JSON.stringify(r)))).join(',')}]`;
}

/** Label keys that a canonical selector looks at. */
export const selectorKeys = (canonical: string): readonly string[] =>
  (JSON.parse(canonical) as Requirement[]).map(([key]) => key);

/** A label that everything selected has, with one of these values, if the selector asks for one. */
export function requiredLabel(
  canonical: string,
): { readonly key: string; readonly values: readonly string[] } | undefined {
  const found = (JSON.parse(canonical) as Requirement[]).find(([, operator]) => operator === 'In');
  return found === undefined ? undefined : { key: found[0], values: found.slice(2) };
}

type Matcher = (labels: Labels) => boolean;
/** Most selectors are said again and again, by policies of other namespaces. */
const COMPILED = new Map<string, Matcher>();
const COMPILED_MAX = 1000;

/** What the selector says about labels. NotIn and DoesNotExist hold for a missing key (Kubernetes API conventions). */
export function compileSelector(canonical: string): Matcher {
  let matcher = COMPILED.get(canonical);
  if (matcher === undefined) {
    matcher = matcherOf(JSON.parse(canonical) as Requirement[]);
    if (COMPILED.size >= COMPILED_MAX) COMPILED.clear();
    COMPILED.set(canonical, matcher);
  }
  return matcher;
}

const matcherOf =
  (requirements: readonly Requirement[]): Matcher =>
  (labels) => {
    for (const [key, operator, ...values] of requirements) {
      const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
      const holds =
        operator === 'Exists'
          ? value !== undefined
          : operator === 'DoesNotExist'
            ? value === undefined
            : operator === 'In'
              ? value !== undefined && values.includes(value)
              : value === undefined || !values.includes(value);
      if (!holds) return false;
    }
    return true;
  };

/** One requirement in words, for people: `app In (web, api)`. */
export function describeSelector(canonical: string): string {
  const requirements = JSON.parse(canonical) as Requirement[];
  if (requirements.length === 0) return 'everything';
  return requirements
    .map(([key, operator, ...values]) =>
      operator === 'In' && values.length === 1
        ? `${key}=${values[0]}`
        : `${key} ${operator}${values.length > 0 ? ` (${values.join(', ')})` : ''}`,
    )
    .join(', ');
}

/** First requirement that the labels do not meet, in words; undefined if they meet all. */
export function unmetRequirement(canonical: string, labels: Labels): string | undefined {
  const requirements = JSON.parse(canonical) as Requirement[];
  for (const r of requirements) {
    const text = JSON.stringify([r]);
    if (!compileSelector(text)(labels)) return describeSelector(text);
  }
  return undefined;
}
