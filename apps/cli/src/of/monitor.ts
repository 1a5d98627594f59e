import { Command } from 'commander';
import {
  type FlowUpdate,
  formatMessage,
  type Message,
  type MultipartReply,
  OpenFlowPeerError,
  type OpenFlowSession,
  parseFlow,
  watchFlows,
} from 'openflow-ts';
import { summaryOf } from './decode.js';
import { toJson } from './json.js';
import { print } from './lines.js';
import { dial, TARGETS, type TargetOptions, withTarget } from './target.js';

interface MonitorOptions extends TargetOptions {
  readonly match?: string;
  readonly flows: boolean;
  readonly packets: boolean;
  readonly json: boolean;
  readonly summary: boolean;
}

const ASYNC_KINDS = [
  'packet_in',
  'packet_in2',
  'flow_removed',
  'port_status',
  'role_status',
  'table_status',
  'error',
] as const;

/** Asks for everything that a switch sends on its own account. */
async function wantAll(session: OpenFlowSession, packets: boolean): Promise<void> {
  const packetIn = packets ? { primary: 7, secondary: 7 } : { primary: 0, secondary: 0 };
  const more = session.version === 'OF1.3' ? {} : { roleStatus: { primary: 3, secondary: 3 } };
  const few = { primary: 0xf, secondary: 0xf };
  try {
    await session.confirm({
      kind: 'set_async',
      packetIn,
      portStatus: { primary: 7, secondary: 7 },
      flowRemoved: few,
      ...more,
    });
  } catch (error) {
    if (!(error instanceof OpenFlowPeerError)) throw error;
    process.stderr.write(`heddle: ${error.message}; only what the switch sends anyhow is shown\n`);
  }
  // The management socket sends nothing until a length is asked for.
  await session.send({ kind: 'set_config', flags: 0, missSendLen: 0xffff });
}

function filterOf(text: string | undefined) {
  if (text === undefined) return {};
  const { match, tableId, outPort, outGroup } = parseFlow(text, { command: 'delete' });
  return { match, outPort, outGroup, tableId: /(^|[\s,])table\s*=/.test(text) ? tableId : 0xff };
}

/** `heddle of monitor` */
export function monitorCommand(): Command {
  return withTarget(new Command('monitor'))
    .description('print what a switch tells: packets, ports, removed flows, roles, and every change of its flows')
    .argument('<target>', 'the switch')
    .option('--match <filter>', 'only changes of flows that match, for example table=3,ip')
    .option('--no-flows', 'no changes of flows')
    .option('--no-packets', 'no packets')
    .option('--summary', 'one line for each message', false)
    .option('--json', 'decoded objects, one a line', false)
    .addHelpText(
      'after',
      `
${TARGETS}
The flows that are there come first (event=INITIAL; in 1.3 event=ADDED). event=PAUSED says that changes are lost until
event=RESUMED, because they were not read fast enough. Ends with Ctrl-C, or with an error when the switch ends the connection.

Examples:
  heddle of monitor unix:/run/openvswitch/br-int.mgmt
  heddle of monitor tcp:192.0.2.1:6653 --match table=10 --no-packets
  heddle of monitor tcp:192.0.2.1:6653 --no-flows --json`,
    )
    .action(async (target: string, o: MonitorOptions) => {
      const session = await dial(target, o);
      const { version } = session;
      const show = (message: Message): Promise<void> => {
        if (o.json) return print(`${toJson(message)}\n`);
        const decoded = { version, xid: 0, message };
        return print(`${o.summary ? summaryOf(decoded) : formatMessage(decoded).replace(/\n+$/, '')}\n`);
      };
      for (const kind of ASYNC_KINDS) session.on(kind, (message) => void show(message));
      await wantAll(session, o.packets);
      if (!o.flows) {
        const reason = await session.closed;
        throw new Error(`the switch has ended the connection (${reason.kind})`);
      }
      for await (const update of watchFlows(session, filterOf(o.match)))
        if (o.json) await print(`${toJson(update)}\n`);
        else await print(`${updateText(session, update)}\n`);
    });
}

/** One change, as `ovs-ofctl monitor` prints it. */
function updateText({ version }: OpenFlowSession, update: FlowUpdate): string {
  const message = { kind: 'multipart_reply', type: 'flow_monitor', more: false, elements: [update] } as MultipartReply;
  return formatMessage({ version, xid: 0, message })
    .replace(/^[^\n]*\n/, '')
    .trim();
}
