import { Argument, Command } from 'commander';
import {
  type FlowStats,
  flowStatsRequest,
  formatFlow,
  formatMessage,
  GROUP,
  METER,
  type MultipartElements,
  type MultipartReply,
  type MultipartRequest,
  type MultipartType,
  type OpenFlowSession,
  PORT,
  parseFlow,
} from 'openflow-ts';
import { toJson } from './json.js';
import { print } from './lines.js';
import { dial, TARGETS, type TargetOptions, withTarget } from './target.js';

const WHAT = ['flows', 'groups', 'meters', 'ports', 'tables', 'desc'] as const;
type What = (typeof WHAT)[number];

interface DumpOptions extends TargetOptions {
  readonly stats: boolean;
  readonly counters: boolean;
  readonly match?: string;
  readonly json: boolean;
}

const request = <T extends MultipartType>(type: T, more: object = {}) =>
  ({ kind: 'multipart_request', type, ...more }) as MultipartRequest & { readonly type: T };

/** Flows that a filter in the language of `ovs-ofctl dump-flows` means. */
function flowsRequest(filter: string | undefined): MultipartRequest & { readonly type: 'flow' } {
  const all = flowStatsRequest() as MultipartRequest & { readonly type: 'flow' };
  if (filter === undefined) return all;
  const f = parseFlow(filter, { command: 'delete' });
  const tableId = /(^|[\s,])table\s*=/.test(filter) ? f.tableId : 0xff;
  const { cookie, cookieMask, outPort, outGroup, match } = f;
  return { ...all, tableId, cookie, cookieMask, outPort, outGroup, match };
}

/** What is asked for each thing: its description, or its counters. */
function requestOf(
  what: What,
  o: DumpOptions,
): MultipartRequest & { readonly type: Exclude<MultipartType, 'unknown'> } {
  switch (what) {
    case 'flows':
      return flowsRequest(o.match);
    case 'groups':
      return o.counters ? request('group', { groupId: GROUP.ALL }) : request('group_desc');
    case 'meters':
      return request(o.counters ? 'meter' : 'meter_config', { meterId: METER.ALL });
    case 'ports':
      return o.counters ? request('port', { portNo: PORT.ANY }) : request('port_desc');
    case 'tables':
      return request('table');
    case 'desc':
      return request('desc');
  }
}

/** Elements of a reply as `ovs-ofctl` prints them, without the line that names the reply. */
function textOf<T extends MultipartType>(session: OpenFlowSession, type: T, elements: readonly MultipartElements[T][]) {
  const message = { kind: 'multipart_reply', type, more: false, elements } as unknown as MultipartReply;
  const text = formatMessage({ version: session.version, xid: 0, message });
  const body = text.slice(text.indexOf(':') + 1).replace(/^[^\S\n]*\n/, '');
  return body.trimEnd() === '' ? '' : `${body.replace(/\n+$/, '')}\n`;
}

/** `heddle of dump` */
export function dumpCommand(): Command {
  return withTarget(new Command('dump'))
    .description('print what a switch holds')
    .argument('<target>', 'the switch')
    .addArgument(new Argument('[what]', 'which things').choices(WHAT).default('flows'))
    .option('--no-stats', 'flows without counters and times, as "heddle of apply" reads them')
    .option('--counters', 'counters of groups, meters and ports in place of what they are', false)
    .option('--match <filter>', 'only flows that match, for example table=3,ip,cookie=0x5/0xff')
    .option('--json', 'decoded objects, one a line', false)
    .addHelpText(
      'after',
      `
${TARGETS}

Examples:
  heddle of dump unix:/run/openvswitch/br-int.mgmt
  heddle of dump tcp:192.0.2.1:6653 flows --no-stats --match table=5
  heddle of dump tcp:192.0.2.1:6653 groups --version 1.5
  heddle of dump ssl:192.0.2.1:6653 ports --json -p key.pem -c cert.pem -C ca.pem`,
    )
    .action(async (target: string, what: What, o: DumpOptions) => {
      const asked = requestOf(what, o);
      const session = await dial(target, o);
      try {
        const elements = await session.multipart(asked);
        if (o.json) for (const element of elements) await print(`${toJson(element)}\n`);
        else if (what === 'flows' && !o.stats)
          await print((elements as readonly FlowStats[]).map((flow) => `${formatFlow(flow)}\n`).join(''));
        else await print(textOf(session, asked.type, elements as never));
      } finally {
        session.close();
      }
    });
}
