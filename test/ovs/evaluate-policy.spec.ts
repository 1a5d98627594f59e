import { l4Packet, nodeName } from '@heddle/compiler';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PODS, type PodName, SERVICE_PORTS } from '../policy/cluster.js';
import { Fabric } from '../policy/fabric.js';
import { factsOf, placeOf, ROUTER_MAC, serviceIps } from '../policy/facts.js';
import { clusterUnder, podIps } from '../policy/pods.js';
import { TRUTH_TABLE } from '../policy/truth-table.js';
import type { Case } from '../policy/types.js';
import { hasOvs } from '../support/ovs.js';
import { evaluated, PacketSwitch, type Sent, traced } from './evaluate-switch.js';

// A sample of the policy table: the flows of one node in a real switch, packets of its pods to everybody. What leaves, and
// which flows were hit how often, must be what the evaluator says. The tunnel is an ordinary port here.
if (!hasOvs()) console.log('skipped: Open vSwitch is not installed');

const NODE = 'n1';
const [TUNNEL, HEDDLE0] = [1, 2];
const LOCAL = PODS.filter((pod) => placeOf(pod).node === NODE);
/** Every sixth case: all kinds of rules come by, and the suite stays short. */
const SAMPLE = TRUTH_TABLE.filter((_, i) => i % 6 === 2);

function packetsOf({ probes }: Case): Sent[] {
  const packets: Sent[] = [];
  let srcPort = 33000;
  for (const { protocol, port, viaService } of probes.slice(0, 2))
    for (const from of LOCAL)
      for (const to of PODS.filter((_, i) => i % 2 === 0))
        for (const family of [0, 1] as const) {
          const { mac, ofport } = placeOf(from);
          const dst = (viaService ? serviceIps(to) : podIps(to))[family];
          const l4 = { protocol: protocol.toLowerCase() as 'tcp' | 'udp' | 'sctp', srcPort: srcPort++, dstPort: port };
          packets.push({
            ofport,
            packet: l4Packet({ ethSrc: mac, ethDst: ROUTER_MAC, src: podIps(from)[family], dst, ...l4 }),
          });
        }
  // One that lies about its address.
  const liar = placeOf(LOCAL[0] as PodName);
  const l3 = { ethSrc: liar.mac, ethDst: ROUTER_MAC, src: podIps('y/b')[0], dst: podIps('x/b')[0] };
  return [...packets, { ofport: liar.ofport, packet: l4Packet({ ...l3, protocol: 'tcp', srcPort, dstPort: 80 }) }];
}

describe.skipIf(!hasOvs())('compiled policies: evaluator = userspace datapath', () => {
  let ovs: PacketSwitch;
  const fabric = new Fabric();
  beforeAll(async () => {
    ovs = await PacketSwitch.start([TUNNEL, HEDDLE0, ...LOCAL.map((pod) => placeOf(pod).ofport)]);
  });
  afterAll(() => ovs?.stop());

  test.each(SAMPLE.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    fabric.become(factsOf(clusterUnder(c)));
    const set = fabric.compiler.node(nodeName(NODE));
    if (set === undefined) throw new Error('no flows');
    const packets = packetsOf(c);
    await ovs.install(set);
    expect(await ovs.run(packets)).toEqual(evaluated(set, packets));
  });
  test('ofproto/trace meets the same flows in the same order', async () => {
    const ring = TRUTH_TABLE.find((c) => c.name.includes('a ring of allows')) as Case;
    fabric.become(factsOf(clusterUnder(ring)));
    const set = fabric.compiler.node(nodeName(NODE));
    if (set === undefined) throw new Error('no flows');
    await ovs.install(set);
    const packets = packetsOf(ring);
    const got: (readonly string[])[] = [];
    for (const sent of packets) got.push(await ovs.trace(sent));
    expect(got).toEqual(packets.map((sent) => traced(set, sent)));
  });
  test('the sample has services in it', () => {
    expect(SAMPLE.some((c) => c.probes.some((p) => p.viaService))).toBe(true);
    expect(SERVICE_PORTS.length).toBeGreaterThan(0);
  });
});
