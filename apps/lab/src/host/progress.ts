/** Progress lines with the seconds since the command began, on standard error: standard output is for the answer. */
export class Progress {
  private readonly start = performance.now();
  constructor(private readonly write: (line: string) => void = (line) => process.stderr.write(`${line}\n`)) {}

  say(text: string): void {
    this.write(`[${((performance.now() - this.start) / 1000).toFixed(1).padStart(5)} s] ${text}`);
  }
}
