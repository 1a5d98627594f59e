/** Where a pod may run and what runs there already. */
export interface SchedulePod {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The node for a pod that does not name one: where fewest pods of the same set are (a set: same namespace, same name without its last
 * part), then where fewest pods are at all, then the first by name. Depends on the arguments only.
 */
export function pickNode(
  pod: SchedulePod,
  nodes: readonly string[],
  placed: readonly (SchedulePod & { readonly node: string })[],
): string | undefined {
  const count = (node: string, same: (p: SchedulePod) => boolean) =>
    placed.filter((p) => p.node === node && same(p)).length;
  const inSet = (p: SchedulePod) => p.namespace === pod.namespace && setName(p.name) === setName(pod.name);
  const order = [...nodes].sort(
    (a, b) =>
      count(a, inSet) - count(b, inSet) ||
      count(a, () => true) - count(b, () => true) ||
      a.localeCompare(b, 'en', { numeric: true }),
  );
  return order[0];
}

function setName(pod: string): string {
  return pod.replace(/-[^-]+$/, '');
}
