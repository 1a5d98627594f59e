import { VARIABLES } from './config.js';

/** What `heddle-controller --help` prints. */
export function helpText(): string {
  const width = Math.max(...Object.keys(VARIABLES).map((name) => name.length));
  const rows = Object.entries(VARIABLES).map(([name, text]) => `  ${name.padEnd(width)}  ${text}`);
  return `heddle-controller: turns Kubernetes objects into OpenFlow tables of Open vSwitch

Usage: heddle-controller [--help] [--version]

Environment:
${rows.join('\n')}

Exit codes: 0 stopped by a signal, 1 wrong configuration or start-up failure, 2 wrong arguments.`;
}
