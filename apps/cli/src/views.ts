import { isIP } from 'node:net';
import {
  type DomainView,
  type ExplainView,
  type FlowsView,
  formatObjectRef,
  type NodeView,
  orDash,
  type PodView,
  type PolicyCountersView,
  type PolicyTotalView,
  type PolicyView,
  type ProblemView,
  type RemovedNodeView,
  type ServiceView,
  type StatusView,
  table,
  type VerdictView,
} from '@heddle/api';
import type { z } from 'zod';

/** How each answer of the API looks for a person. Pure: text from data. */

type Of<T extends z.ZodType> = z.output<T>;

export function statusText(s: StatusView): string {
  const { nodes, counts, source } = s;
  return [
    s.realized ? 'realized: every change is acknowledged by every switch' : 'NOT realized',
    ...s.waitingFor.map((w) => `  waiting for: ${w}`),
    `generation  ${s.generation}`,
    `source      ${source.kind}:${source.location}, ${source.inSync ? 'in sync' : 'NOT in sync'}, ${source.problems} problems`,
    `nodes       ${nodes.total}, ${nodes.connected} connected, ${nodes.realized} realized`,
    `objects     ${counts.pods} pods (${counts.attached} attached), ${counts.services} services, ${counts.policies} policies`,
    `compiled    ${counts.identities} identities, ${counts.flows} flows`,
    `version     ${s.version}`,
  ].join('\n');
}

export function nodesText(nodes: readonly Of<typeof NodeView>[]): string {
  const rows = nodes.map((n) => [
    n.name,
    n.encapIp,
    n.openflow.connected
      ? (n.openflow.version ?? 'yes')
      : `NO${n.openflow.lastError === null ? '' : `: ${n.openflow.lastError}`}`,
    n.ovsdb.connected ? (n.ovsdb.ovsVersion ?? 'yes') : 'NO',
    `${n.realizedGeneration}/${n.desiredGeneration}`,
    String(n.pods),
    String(n.flows),
    String(n.groups),
    orDash(n.blocks.join(' ')),
  ]);
  return table(['NODE', 'ENCAP IP', 'OPENFLOW', 'OVS', 'REALIZED', 'PODS', 'FLOWS', 'GROUPS', 'BLOCKS'], rows);
}

export function removedNodeText({ node, blocks, detached }: RemovedNodeView): string {
  const pods = detached.length === 0 ? [] : [`detached: ${detached.join(' ')}`];
  return [`node ${node} is removed`, `blocks given back: ${orDash(blocks.join(' '))}`, ...pods].join('\n');
}

export function podsText(pods: readonly Of<typeof PodView>[]): string {
  const rows = pods.map((p) => [
    p.namespace,
    p.name,
    orDash(p.attachment?.node ?? p.requestedNode),
    p.attachment === null ? (p.hostNetwork ? 'host network' : 'not attached') : p.attachment.ips.join(' '),
    p.attachment === null ? '-' : String(p.attachment.identity),
    p.attachment === null ? '-' : p.attachment.realized ? 'yes' : 'NO',
    Object.entries(p.labels)
      .map(([k, v]) => `${k}=${v}`)
      .join(','),
  ]);
  return table(['NAMESPACE', 'POD', 'NODE', 'ADDRESSES', 'IDENTITY', 'REALIZED', 'LABELS'], rows);
}

export function servicesText(services: readonly Of<typeof ServiceView>[]): string {
  const rows = services.flatMap((s) =>
    s.ports.map((p) => [
      s.namespace,
      s.name,
      s.type,
      orDash(s.clusterIps.join(' ')),
      `${p.port}/${p.protocol}`,
      p.targetPort,
      p.endpoints.length === 0 ? 'none' : p.endpoints.join(' '),
    ]),
  );
  return table(['NAMESPACE', 'SERVICE', 'TYPE', 'CLUSTER IPS', 'PORT', 'TARGET', 'ENDPOINTS'], rows);
}

/** With `totals` what they did is told too: packets allowed and denied. */
export function policiesText(
  policies: readonly Of<typeof PolicyView>[],
  totals?: readonly Of<typeof PolicyTotalView>[],
): string {
  const decided = new Map(totals?.map((t) => [formatObjectRef(t), t]));
  const rows = policies.map((p) => [
    p.kind,
    orDash(p.namespace),
    p.name,
    p.tier,
    p.priority === null ? '-' : String(p.priority),
    orDash(p.policyTypes.join(',')),
    ...(totals === undefined ? [] : wide(p, decided.get(formatObjectRef(p)))),
    p.subjects.length === 0 ? 'no pod' : p.subjects.join(' '),
  ]);
  const more = totals === undefined ? [] : ['LOG', 'ALLOWED', 'DENIED'];
  return table(['KIND', 'NAMESPACE', 'POLICY', 'TIER', 'PRIORITY', 'TYPES', ...more, 'APPLIES TO'], rows);
}
const wide = ({ log }: Of<typeof PolicyView>, total: Of<typeof PolicyTotalView> | undefined) => [
  log,
  String(total?.allowed ?? 0),
  String(total?.denied ?? 0),
];

export function policyCountersText({ kind, namespace, name, rules }: PolicyCountersView): string {
  const rows = rules.map((r) => [
    r.direction,
    r.rule === null ? 'no rule allows it' : `rule ${r.rule}${r.name === '' ? '' : ` (${r.name})`}`,
    r.verdict,
    String(r.packets),
    String(r.bytes),
    r.since ?? '-',
  ]);
  const counters = table(['DIRECTION', 'RULE', 'VERDICT', 'PACKETS', 'BYTES', 'SINCE'], rows);
  const notes = new Map<string, string[]>();
  for (const { direction, rule, note } of rules)
    if (note !== null) notes.set(note, [...(notes.get(note) ?? []), `${direction} rule ${rule}`]);
  const told = [...notes].map(([note, of]) => `note on ${of.join(', ')}: ${note}`);
  return [formatObjectRef({ kind, namespace, name }), counters, ...told].join('\n');
}

/** One line an event, with nothing that would be wider in another one: for a log that goes on. */
export function policyLogText(events: readonly VerdictView[]): string {
  return events
    .map((e) => {
      const what = `${e.from} -> ${e.to} ${e.protocol}${e.port === null ? '' : `/${e.port}`}`;
      const who = `${e.policies.join(', ')}${e.rule === null ? ', no rule allows it' : ` rule ${e.rule}`}`;
      return `${e.time} ${e.verdict} ${e.direction} ${what} x${e.count} on ${e.node}: ${who}`;
    })
    .join('\n');
}

export function domainsText(domains: readonly Of<typeof DomainView>[]): string {
  const rows = domains.flatMap((d) => d.addresses.map((a) => [d.name, a.address, `${a.secondsLeft} s`]));
  return table(['NAME', 'ADDRESS', 'COUNTS FOR'], rows);
}

export function problemsText(problems: readonly Of<typeof ProblemView>[]): string {
  if (problems.length === 0) return 'no problems';
  return problems
    .map((p) => {
      const where = `${p.file}${p.line === null ? '' : `:${p.line}`}`;
      return `${p.severity}: ${where}: ${p.object === null ? '' : `${formatObjectRef(p.object)}: `}${p.reason}`;
    })
    .join('\n');
}

/** Flows by table: what ovs-ofctl would print, and below it why it is there. */
export function flowsText(view: Of<typeof FlowsView>): string {
  const names = [...new Set(view.flows.map((f) => f.tableId))].sort((a, b) => a - b);
  const parts = names.map((id) => {
    const flows = view.flows.filter((f) => f.tableId === id);
    const lines = flows.flatMap((f) => {
      const owners = f.owners.map(formatObjectRef).join(', ');
      const state = f.realized ? '' : 'NOT REALIZED; ';
      return [`  ${f.text}`, `      ${state}${f.feature}${owners === '' ? '' : ` of ${owners}`}: ${f.why}`];
    });
    return [`${flows[0]?.table} (table ${id})`, ...lines].join('\n');
  });
  const groups = view.groups.length === 0 ? [] : [['Groups', ...view.groups.map((g) => `  ${g}`)].join('\n')];
  const all = [...parts, ...groups];
  return all.length === 0 ? `no such flows on ${view.node}` : all.join('\n\n');
}

type Path = ExplainView['paths'][number];

/** The verdict first, then what decided; paths that were decided alike, as IPv4 and IPv6 mostly are, stand together. */
export function explainText(view: ExplainView, withFlows: boolean): string {
  const what = `${view.from} -> ${view.to} ${view.protocol}${view.port === null ? '' : `/${view.port}`}`;
  const alike = new Map<string, Path[]>();
  for (const p of view.paths) {
    const key = withoutAddresses(JSON.stringify([p.verdict, p.decisions, p.nearMisses]));
    alike.set(key, [...(alike.get(key) ?? []), p]);
  }
  const paths = [...alike.values()].map((group) => pathsText(group, withFlows));
  return [`${what}: ${view.verdict.toUpperCase()}`, view.summary, ...paths].join('\n\n');
}

/** Paths that differ in addresses only. What they say differently is said once for each. */
function pathsText(group: readonly Path[], withFlows: boolean): string {
  const [first] = group;
  if (first === undefined) return '';
  const each = (text: (p: Path) => readonly string[]) => [...new Set(group.flatMap(text))];
  const decisions = first.decisions.flatMap(({ node, stage, decision }, i) => [
    `    ${node}  ${stage}: ${decision}`,
    ...each((p) => (p.decisions[i]?.objects ?? []).map((o) => `        ${formatObjectRef(o)}`)),
    ...each((p) => [`        ${p.decisions[i]?.reason ?? ''}`]),
  ]);
  const near = first.nearMisses.flatMap(({ object, rule }, i) => [
    `    Would be allowed by ${formatObjectRef(object)}, ${rule}, but:`,
    ...each((p) => [`        ${p.nearMisses[i]?.because ?? ''}`]),
  ]);
  const flows = group.flatMap((p) => {
    if (!withFlows || p.flows.length === 0) return [];
    const lines = p.flows.map((f) => {
      const owners = f.owners.map(formatObjectRef).join(', ');
      return `      ${f.node}  ${f.table}: ${f.text}${owners === '' ? '' : `  # ${owners}`}`;
    });
    return [`    Flows that the IPv${p.family} packet meets:`, ...lines];
  });
  const heads = group.map((p) => `  IPv${p.family}  ${p.source} -> ${p.destination}: ${p.verdict}`);
  return [...heads, ...decisions, ...near, ...flows].join('\n');
}

/** The text with every address and prefix replaced, to compare texts of two families. */
function withoutAddresses(text: string): string {
  return text.replace(/[0-9a-fA-F:.]+(\/\d+)?/g, (word) => {
    const [address = ''] = word.replace(/[.:]$/, '').split('/');
    return isIP(address) === 0 ? word : 'ADDRESS';
  });
}
