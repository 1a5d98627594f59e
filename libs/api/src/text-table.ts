/** Columns padded to their widest cell, two spaces between them; no line has trailing spaces. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, c) => Math.max(...all.map((r) => r[c]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `- ` for what is empty, so that columns stay visible. */
export function orDash(text: string): string {
  return text === '' ? '-' : text;
}
