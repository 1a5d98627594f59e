import { Command } from 'commander';
import { type FlowLike, flowBody, flowKey, flowStatsRequest, formatFlow, type MultipartRequest } from 'openflow-ts';
import { explainLine, LineError, print, readLines } from './lines.js';
import { parseMod, saysSomething } from './mods.js';
import { dial, isTarget, TARGETS, type TargetOptions, withTarget } from './target.js';

type Flows = ReadonlyMap<string, FlowLike>;

async function flowsOfFile(file: string): Promise<Flows> {
  const flows = new Map<string, FlowLike>();
  const name = file === '-' ? 'standard input' : file;
  for await (const [number, text] of readLines(file)) {
    // What dump-flows prints above its flows.
    if (!saysSomething(text) || /^\s*(OFPST|NXST)_FLOW reply/.test(text)) continue;
    try {
      const mod = parseMod(text, 'flow');
      if (mod.kind !== 'flow_mod' || mod.command !== 'add') throw new LineError('', 'only flows can be compared');
      flows.set(flowKey(mod), mod);
    } catch (error) {
      const what = explainLine(`${name}:${number}`, error);
      throw new Error(what, { cause: error });
    }
  }
  return flows;
}

async function flowsOfSwitch(target: string, o: TargetOptions): Promise<Flows> {
  const session = await dial(target, o);
  try {
    const list = await session.multipart(flowStatsRequest() as MultipartRequest & { readonly type: 'flow' });
    return new Map(list.map((flow) => [flowKey(flow), flow]));
  } finally {
    session.close();
  }
}

/** `heddle of diff` */
export function diffCommand(): Command {
  return withTarget(new Command('diff'))
    .description('compare the flows of two switches or files')
    .argument('<a>', 'a switch or a file of flows')
    .argument('<b>', 'a switch or a file of flows')
    .addHelpText(
      'after',
      `
${TARGETS}
Anything else is a file of flows as "ovs-ofctl add-flows" reads and "ovs-ofctl dump-flows" prints them. Compared are table,
priority, match, cookie, timeouts, flags and actions, whatever way of saying the same was chosen. Lines with - are in A only,
lines with + in B only; a flow that changed is both.

Exit code: 0 the same, 2 they differ, 1 an error.

Examples:
  heddle of diff wanted.flows unix:/run/openvswitch/br-int.mgmt
  heddle of diff tcp:192.0.2.1:6653 tcp:192.0.2.2:6653 && echo same`,
    )
    .action(async (a: string, b: string, o: TargetOptions) => {
      const read = (text: string) => (isTarget(text) ? flowsOfSwitch(text, o) : flowsOfFile(text));
      const [left, right] = await Promise.all([read(a), read(b)]);
      let out = '';
      for (const [key, flow] of left) {
        const other = right.get(key);
        if (other === undefined || flowBody(other) !== flowBody(flow)) out += `-${formatFlow(flow)}\n`;
        if (other !== undefined && flowBody(other) !== flowBody(flow)) out += `+${formatFlow(other)}\n`;
      }
      for (const [key, flow] of right) if (!left.has(key)) out += `+${formatFlow(flow)}\n`;
      await print(out);
      if (out !== '') process.exitCode = 2;
    });
}
