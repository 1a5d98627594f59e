import type { Compiler } from '../compiler.js';
import {
  createEvaluator,
  EvaluateError,
  echoPacket,
  type Journey,
  l4Packet,
  type Packet,
  replyTo,
  tunnelWire,
} from '../evaluate/index.js';
import type { ConfigFact } from '../model/facts.js';
import type { ObjectRef } from '../model/output.js';
import { readPath } from './decisions.js';
import { type Asked, addressOf, findEnd, formatExplainEnd } from './ends.js';
import type { Decision, ExplainPath, ExplainQuery, Explanation, Verdict } from './types.js';

/** Somebody's port: any from the range that clients take. */
const SOURCE_PORT = 40000;

/**
 * Says what happens to the first packet of a connection, and on whose behalf. The verdict is what the compiled flows do
 * with the packet; policies give the reasons, and where they would say otherwise a decision `disagreement` stands in the
 * path. Pure: nothing is sent anywhere.
 */
export function explain(compiler: Compiler, query: ExplainQuery): Explanation {
  const head = {
    from: formatExplainEnd(query.from),
    to: formatExplainEnd(query.to),
    protocol: query.protocol.toLowerCase(),
    port: query.port ?? null,
  };
  const unknown = (summary: string): Explanation => ({ ...head, verdict: 'unknown', summary, paths: [] });
  const config = compiler.fact('config', 'config');
  if (config === undefined) return unknown('Nothing is configured yet.');
  const [from, to] = [findEnd(compiler, query.from), findEnd(compiler, query.to)];
  if (from.kind === 'missing') return unknown(from.reason);
  if (to.kind === 'missing') return unknown(to.reason);
  if (from.kind === 'service') return unknown(`${head.from} is a service; connections come from pods and addresses.`);
  if (query.protocol === 'ICMP' && to.kind === 'service')
    return unknown('A service answers to ports only, not to ICMP.');
  if (query.protocol !== 'ICMP' && query.port === undefined) return unknown(`${query.protocol} needs a port.`);

  const paths = config.families.flatMap((family) => {
    const [source, destination] = [addressOf(from, family), addressOf(to, family)];
    return source === undefined || destination === undefined
      ? []
      : familyPaths(compiler, config, { query, from, to, family, source, destination });
  });
  if (paths.length === 0) return unknown(`${head.from} and ${head.to} have no address family in common.`);
  return { ...head, verdict: worst(paths), summary: summarize(head.from, head.to, paths), paths };
}

/** Where the packet comes in: node and port, and the MAC that it is sent from. */
function entry(compiler: Compiler, { from, to }: Asked): { node: string; ofport: number; mac: string } | undefined {
  if (from.kind === 'pod')
    return { node: from.attachment.node, ofport: from.attachment.ofport, mac: from.attachment.mac };
  // From outside a packet is routed to the node that the pod is on, and comes in through the node's own port.
  const node =
    from.kind === 'node'
      ? from.node
      : to.kind === 'pod'
        ? compiler.fact('node', to.attachment.node)
        : [...compiler.facts('node')].map(([, n]) => n)[0];
  return node === undefined ? undefined : { node: node.name, ofport: node.gateway.ofport, mac: node.gateway.mac };
}

function requestOf({ query, source, destination }: Asked, config: ConfigFact, mac: string): Packet {
  const l3 = { ethSrc: mac, ethDst: config.routerMac, src: source, dst: destination };
  if (query.protocol === 'ICMP') return echoPacket({ ...l3, id: 1 });
  const protocol = query.protocol.toLowerCase() as 'tcp' | 'udp' | 'sctp';
  return l4Packet({ ...l3, protocol, srcPort: SOURCE_PORT, dstPort: query.port ?? 0 });
}

/** One path, or one for each backend that gives another answer. */
function familyPaths(compiler: Compiler, config: ConfigFact, asked: Asked): readonly ExplainPath[] {
  const at = entry(compiler, asked);
  if (at === undefined) return [failed(asked, 'There is no node that the packet could come in at.')];
  const request = requestOf(asked, config, at.mac);
  const paths: ExplainPath[] = [];
  let backends = 1;
  for (let index = 0; index < backends; index++) {
    // Every backend meets switches that have seen no packet before.
    const evaluator = createEvaluator({
      nodes: (name) => compiler.node(name as never),
      wire: tunnelWire(
        [...compiler.facts('node')].map(([, node]) => node),
        config.encap,
      ),
      chooseBucket: (_, group) => {
        backends = group.buckets.length;
        return index;
      },
    });
    try {
      const journey = evaluator.send(at.node, at.ofport, request);
      const path = readPath(compiler, asked, journey);
      paths.push(
        path.verdict === 'allowed' ? withAnswer(compiler, path, journey, (n, p, x) => evaluator.send(n, p, x)) : path,
      );
    } catch (error) {
      if (!(error instanceof EvaluateError)) throw error;
      paths.push(failed(asked, `The flows cannot be followed: ${error.message}.`));
    }
  }
  return distinct(paths);
}

const failed = ({ family, source, destination }: Asked, reason: string): ExplainPath => ({
  family,
  source,
  destination,
  verdict: 'unknown',
  decisions: [{ node: '', stage: 'facts', decision: 'unknown', objects: [], reason }],
  nearMisses: [],
  flows: [],
});

/** Lets the pod answer: an answer that is lost is worth knowing. */
function withAnswer(
  compiler: Compiler,
  path: ExplainPath,
  journey: Journey,
  send: (node: string, ofport: number, packet: Packet) => Journey,
): ExplainPath {
  const [delivery] = journey.deliveries;
  const pods = [...compiler.facts('attachment')].map(([, a]) => a);
  const receiver = pods.find((a) => a.node === delivery?.node && a.ofport === delivery.ofport);
  if (delivery === undefined || receiver === undefined) return path;
  const answer = send(receiver.node, receiver.ofport, replyTo(delivery.packet));
  if (answer.deliveries.length > 0) return path;
  const [drop] = answer.drops;
  const lost: Decision = {
    node: drop?.node ?? receiver.node,
    stage: 'answer',
    decision: 'denied',
    objects: drop?.lookup.flow?.provenance.owners ?? [],
    reason: `The answer is lost: ${drop?.lookup.flow?.provenance.why ?? drop?.reason ?? 'nobody takes it'}`,
  };
  return { ...path, verdict: 'denied', decisions: [...path.decisions, lost] };
}

/** Decisions about the way, which differs from backend to backend. */
const WAY: readonly string[] = ['balanced', 'routed', 'delivered'];

/** Backends that are judged alike by the same objects are one path. */
function distinct(paths: readonly ExplainPath[]): readonly ExplainPath[] {
  const kept = new Map<string, { path: ExplainPath; more: number }>();
  for (const path of paths) {
    const decided = path.decisions.filter((d) => !WAY.includes(d.decision));
    const key = JSON.stringify([path.verdict, decided.map((d) => [d.stage, d.decision, d.objects]), path.nearMisses]);
    const known = kept.get(key);
    if (known === undefined) kept.set(key, { path, more: 0 });
    else known.more++;
  }
  return [...kept.values()].map(({ path, more }) =>
    more === 0 ? path : { ...path, destination: `${path.destination} (and ${more} more alike)` },
  );
}

/** From best to worst: the answer to the whole question is that of its worst path. */
const ORDER: readonly Verdict[] = ['allowed', 'rejected', 'unknown', 'denied'];
const worst = (paths: readonly ExplainPath[]): Verdict =>
  paths.map((p) => p.verdict).reduce((a, b) => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a));

const title = ({ kind, namespace, name }: ObjectRef): string =>
  namespace === '' ? `${kind} ${name}` : `${namespace}/${name}`;

function summarize(from: string, to: string, paths: readonly ExplainPath[]): string {
  const sentence = (path: ExplainPath): string => {
    const deciding = path.decisions.filter((d) => d.decision === path.verdict || d.decision === 'disagreement');
    const [nearest] = path.nearMisses;
    const near =
      path.verdict === 'denied' && nearest !== undefined
        ? ` It would be allowed by ${nearest.rule} of ${title(nearest.object)}, but: ${nearest.because}`
        : '';
    return `${deciding.map((d) => d.reason).join(' ')}${near}`.trim();
  };
  const verdicts = new Set(paths.map((p) => p.verdict));
  const texts = new Set(paths.map(sentence));
  const all = [...texts].filter((t) => t !== '').join(' ');
  const [only] = verdicts;
  const head =
    verdicts.size === 1
      ? `${from} to ${to}: ${only}.`
      : `${from} to ${to}: ${paths.map((p) => `IPv${p.family} ${p.destination} ${p.verdict}`).join(', ')}.`;
  return all === '' ? head : `${head} ${all}`;
}
