/** Takes the oldest entries away until there are no more than `max`. Whatever is used again must be put in anew to count as new. */
export function keepNewest<K>(entries: Pick<Map<K, unknown> | Set<K>, 'size' | 'delete' | 'keys'>, max: number): void {
  for (const oldest of entries.keys()) {
    if (entries.size <= max) return;
    entries.delete(oldest);
  }
}
