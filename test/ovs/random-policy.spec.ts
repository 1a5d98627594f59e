import {
  createCompiler,
  createEvaluator,
  echoPacket,
  type FactChange,
  l4Packet,
  type NodeFlowSet,
  nodeName,
  type Packet,
  TABLE_ID,
} from '@heddle/compiler';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DOMAINS, PODS, type PodName } from '../policy/cluster.js';
import { countingIds } from '../policy/fabric.js';
import { factsOf, placeOf, ROUTER_MAC } from '../policy/facts.js';
import { type OracleCluster, oracleAllows } from '../policy/oracle.js';
import { NODES, podIps } from '../policy/pods.js';
import { PORTS, randomCluster } from '../policy/random.js';
import { hasOvs } from '../support/ovs.js';
import { PacketSwitch, type Sent, traced } from './evaluate-switch.js';

// Random clusters, policies of both kinds and packets, on a real switch: the tables and priorities that `ofproto/trace` meets are
// those that the evaluator meets, and where they end is what the oracle says. All pods are on one node, so that one switch judges both ends.
if (!hasOvs()) console.log('skipped: Open vSwitch is not installed');

const NODE = 'n1';
const [TUNNEL, HEDDLE0] = [1, 2];
const CLUSTERS = Number(process.env.HEDDLE_TRACE_CLUSTERS ?? 30);
const SEED = 20_260_801;
const OUTSIDE = [
  ...Object.values(DOMAINS).flat(),
  ...NODES.flatMap((n) => n.addresses),
  '198.51.100.1',
  '2001:db8:1::1',
] as const;

interface Asked {
  readonly from: number;
  /** Beyond the pods: an address outside. */
  readonly to: number;
  readonly family: 0 | 1;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP' | 'ICMP';
  readonly port: number;
}
const asked: fc.Arbitrary<Asked> = fc.record({
  from: fc.nat(),
  to: fc.nat({ max: PODS.length + 4 }),
  family: fc.constantFrom(0, 1),
  protocol: fc.constantFrom('TCP', 'TCP', 'UDP', 'SCTP', 'ICMP'),
  port: fc.constantFrom(...PORTS),
});

const onOneNode = (cluster: OracleCluster): OracleCluster => ({
  ...cluster,
  pods: cluster.pods.map((p) => ({ ...p, node: NODE })),
});

function flowsOf(cluster: OracleCluster): NodeFlowSet {
  const compiler = createCompiler(countingIds());
  const here = (change: FactChange): FactChange =>
    change.kind === 'attachment' && change.value !== undefined
      ? { ...change, value: { ...change.value, node: nodeName(NODE) } }
      : change;
  compiler.apply([...factsOf(cluster).values()].map(here));
  const set = compiler.node(nodeName(NODE));
  if (set === undefined) throw new Error('no flows');
  return set;
}

interface Question {
  readonly text: string;
  readonly sent: Sent;
  readonly allowed: boolean;
}

let lastPort = 40_000;
function questionOf(cluster: OracleCluster, { from, to, family, protocol, port }: Asked): Question {
  const pod = (i: number): PodName => {
    const p = cluster.pods[i % cluster.pods.length];
    return `${p?.namespace}/${p?.name}` as PodName;
  };
  const sender = pod(from);
  const outside = OUTSIDE.filter((a) => a.includes(':') === (family === 1));
  const source = podIps(sender)[family];
  const destination = to < PODS.length ? podIps(pod(to))[family] : (outside[from % outside.length] as string);
  const { mac, ofport } = placeOf(sender);
  const l3 = { ethSrc: mac, ethDst: ROUTER_MAC, src: source, dst: destination };
  lastPort += 1;
  const packet: Packet =
    protocol === 'ICMP'
      ? echoPacket({ ...l3, id: 1 })
      : l4Packet({
          ...l3,
          protocol: protocol.toLowerCase() as 'tcp' | 'udp' | 'sctp',
          srcPort: lastPort,
          dstPort: port,
        });
  return {
    text: `${source} > ${destination} ${protocol} ${port}`,
    sent: { ofport, packet },
    allowed: oracleAllows(cluster, { source, destination, protocol, ...(protocol === 'ICMP' ? {} : { port }) }),
  };
}

/** Which of several flows of one priority the switch takes is open where they do the same: two rules that both allow. */
const tableAndPriority = (key: string): string => key.split(',', 2).join(',');

describe.skipIf(!hasOvs())('random policies: oracle = evaluator = ofproto/trace', () => {
  let ovs: PacketSwitch;
  beforeAll(async () => {
    ovs = await PacketSwitch.start([TUNNEL, HEDDLE0, ...PODS.map((pod) => placeOf(pod).ofport)]);
  });
  afterAll(() => ovs?.stop());

  const samples = fc.sample(fc.tuple(randomCluster, fc.array(asked, { minLength: 24, maxLength: 24 })), {
    seed: SEED,
    numRuns: CLUSTERS,
  });
  const ends = { allowed: 0, denied: 0 };

  test.each(samples.map(([cluster, list], i) => [i, onOneNode(cluster), list] as const))(
    'cluster %i',
    async (_, cluster, list) => {
      const set = flowsOf(cluster);
      await ovs.install(set);
      for (const one of list) {
        const { text, sent, allowed } = questionOf(cluster, one);
        const met = (await ovs.trace(sent)).map(tableAndPriority);
        expect(met, text).toEqual(traced(set, sent).map(tableAndPriority));
        expect(met.at(-1)?.startsWith(`${TABLE_ID.Output},`), text).toBe(allowed);
        const { deliveries } = createEvaluator({ nodes: () => set }).send(NODE, sent.ofport, sent.packet);
        expect(deliveries.length > 0, text).toBe(allowed);
        ends[allowed ? 'allowed' : 'denied'] += 1;
      }
    },
    60_000,
  );
  test('the sample has both in it', () => {
    const all = ends.allowed + ends.denied;
    expect(Math.min(ends.allowed, ends.denied) / all).toBeGreaterThan(0.1);
  });
});
