import type { z } from 'zod';

/** Wording of what a schema finds wrong. */

/** `spec.ports[0].port: "x" is neither ...` */
export function describeIssue(issue: z.core.$ZodIssue): string {
  return `${fieldName(issue.path)}: ${messageOf(issue)}`;
}

/** What is wrong with a key is said by the key's own schema. */
function messageOf(issue: z.core.$ZodIssue): string {
  return (issue.code === 'invalid_key' ? issue.issues[0]?.message : undefined) ?? issue.message;
}

/** `spec.ports[0].port` */
function fieldName(path: readonly PropertyKey[]): string {
  const name = path.map((p) => (typeof p === 'number' ? `[${p}]` : `.${String(p)}`)).join('');
  return name === '' ? 'the object' : name.replace(/^\./, '');
}

/** Kubernetes reads `key:` without a value as a key that is not there. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([k, v]) => (v === null ? [] : [[k, withoutNulls(v)] as const])),
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
