import { Command } from 'commander';
import { type Mod, OpenFlowPeerError } from 'openflow-ts';
import { explainLine, LineError, print, readLines } from './lines.js';
import { parseMod, saysSomething } from './mods.js';
import { dial, TARGETS, type TargetOptions, withTarget } from './target.js';

interface Line {
  readonly number: number;
  readonly text: string;
  readonly mod: Mod;
}

/** Modifications of a file; what cannot be read is told through `complain`. */
async function readMods(file: string, complain: (what: string) => void): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const [number, text] of readLines(file)) {
    if (!saysSomething(text)) continue;
    try {
      const mod = parseMod(text, 'flow');
      // Open vSwitch refuses meters in bundles (OFPBFC_MSG_UNSUP).
      if (mod.kind !== 'flow_mod' && mod.kind !== 'group_mod')
        throw new LineError('', 'only flows and groups can stand in a bundle');
      lines.push({ number, text: text.trim(), mod });
    } catch (error) {
      complain(explainLine(number, error));
    }
  }
  return lines;
}

/** `heddle of apply` */
export function applyCommand(): Command {
  return withTarget(new Command('apply'))
    .description('change flows and groups of a switch, all of them at once or none')
    .argument('<target>', 'the switch')
    .argument('<file>', 'one modification a line; - is standard input')
    .addHelpText(
      'after',
      `
${TARGETS}
Lines are flows ("table=0,ip,actions=output:1"), or "flow" or "group", a command and a description, as "ovs-ofctl bundle" reads
them: "group add group_id=1,type=all,bucket=output:2", "flow delete table=3". They go as one bundle: if one line is wrong or
refused, nothing changes, and "error: line N: WHY" says which.

Exit code: 0 applied, 1 an error; nothing was changed then, unless the connection was lost at the very end.

Examples:
  heddle of apply unix:/run/openvswitch/br-int.mgmt wanted.flows
  echo 'flow delete table=3' | heddle of apply tcp:192.0.2.1:6653 -`,
    )
    .action(async (target: string, file: string, o: TargetOptions) => {
      let errors = '';
      const lines = await readMods(file, (what) => {
        errors += `error: ${what}\n`;
      });
      if (errors !== '') {
        await print(`${errors}nothing was applied\n`);
        process.exitCode = 1;
        return;
      }
      const session = await dial(target, o);
      try {
        const result = await session.apply(lines.map((line) => line.mod));
        if (result.kind === 'committed') {
          await print(`applied ${lines.length} modification${lines.length === 1 ? '' : 's'}\n`);
          return;
        }
        process.exitCode = 1;
        for (const { index, error } of result.errors) {
          const line = index === undefined ? undefined : lines[index];
          const where = line === undefined ? 'bundle' : `line ${line.number}`;
          const why = error instanceof OpenFlowPeerError ? `${error.reason} (${error.type})` : error.reason;
          errors += `error: ${where}: ${why}${line === undefined ? '' : `: ${line.text}`}\n`;
        }
        await print(`${errors}nothing was applied\n`);
      } finally {
        session.close();
      }
    });
}
