import { badRequest } from './errors.ts';
import type { KubeObject } from './types.ts';

export type Predicate = (object: KubeObject) => boolean;
/** Reads the value of one field that selectors may name. */
export type FieldReaders = Readonly<Record<string, (object: KubeObject) => string>>;

const TERM =
  /^\s*(!)?\s*([A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?)\s*(?:(==|=|!=)\s*([-A-Za-z0-9_.]*)|\s(in|notin)\s*\(([^)]*)\)|([<>])\s*(-?\d+))?\s*$/;

/** Splits at commas outside parentheses. */
function terms(text: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    const c = text[i];
    if (c === '(') depth++;
    else if (c === ')') depth--;
    else if (i === text.length || (c === ',' && depth === 0)) {
      found.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return found.filter((t) => t.trim() !== '');
}

type LabelTest = (labels: Readonly<Record<string, string>>) => boolean;

function labelTerm(text: string): LabelTest {
  const m = TERM.exec(text);
  if (m === null) throw badRequest(`unable to parse requirement: ${JSON.stringify(text)}`);
  const [, not, key, , operator, value, set, members, order, bound] = m as unknown as string[];
  const name = key as string;
  if (operator !== undefined)
    return operator === '!=' ? (l) => l[name] !== value : (l) => l[name] === value && value !== undefined;
  if (set !== undefined) {
    const wanted = new Set((members ?? '').split(',').map((v) => v.trim()));
    return set === 'in' ? (l) => l[name] !== undefined && wanted.has(l[name]) : (l) => !wanted.has(l[name] ?? '\0');
  }
  if (order !== undefined)
    return (l) =>
      l[name] !== undefined && (order === '<' ? Number(l[name]) < Number(bound) : Number(l[name]) > Number(bound));
  return not === undefined ? (l) => l[name] !== undefined : (l) => l[name] === undefined;
}

/** `app=web,tier!=db,env in (a,b),!canary`; undefined if the text selects everything. */
export function labelSelector(text: string | null | undefined): Predicate | undefined {
  const tests = terms(text ?? '').map(labelTerm);
  if (tests.length === 0) return undefined;
  return (o) => tests.every((test) => test(o.metadata.labels ?? {}));
}

/** `spec.nodeName=n1,status.phase!=Failed`; only fields that the resource declares. */
export function fieldSelector(text: string | null | undefined, fields: FieldReaders): Predicate | undefined {
  const tests = terms(text ?? '').map((term): Predicate => {
    const m = /^([^=!]+)(==|=|!=)(.*)$/.exec(term.trim());
    if (m === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const [, key, operator, value] = m as unknown as [string, string, string, string];
    const read = fields[key];
    if (read === undefined) throw badRequest(`field label not supported: ${key}`);
    return operator === '!=' ? (o) => read(o) !== value : (o) => read(o) === value;
  });
  if (tests.length === 0) return undefined;
  return (o) => tests.every((test) => test(o));
}

/** A LabelSelector object without matchExpressions, as services have it. */
export const matchesLabels = (
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>> = {},
) => Object.entries(selector).every(([k, v]) => labels[k] === v);
