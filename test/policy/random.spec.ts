import { explain, l4Packet, type Packet } from '@heddle/compiler';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PodName } from './cluster.js';
import { Fabric } from './fabric.js';
import { factsOf, NODES, placeOf } from './facts.js';
import { type OracleCluster, type OraclePod, oracleAllows } from './oracle.js';
import { podIps } from './pods.js';
import { PORTS, randomCluster } from './random.js';

// Random clusters x random policies x random packets: the oracle and the compiled flows agree on every packet. Each run
// goes on from the state of the one before, so the compiler comes there by changes and never from scratch.

const RUNS = Number(process.env.HEDDLE_PROPERTY_RUNS ?? 150);
/** Beside names of `DOMAINS`, and one that has none. */
const WORLD = [
  ['203.0.113.7', '203.0.113.8', '203.0.113.9', '198.51.100.1'],
  ['2001:db8::7', '2001:db8::8', '2001:db8::10', '2001:db8:1::1'],
] as const;

const attempts = fc.array(
  fc.record({
    from: fc.integer({ min: 0, max: 8 }),
    to: fc.integer({ min: 0, max: 8 }),
    family: fc.constantFrom(0 as const, 1 as const),
    protocol: fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const, 'ICMP' as const),
    port: fc.constantFrom(...PORTS),
    which: fc.integer({ min: 0, max: 3 }),
    kind: fc.constantFrom(
      'pods',
      'pods',
      'pods',
      'pods',
      'service',
      'from world',
      'to world',
      'to world',
      'from node',
      'to node',
      'to node',
    ),
  }),
  { minLength: 30, maxLength: 30 },
);
type Attempt = typeof attempts extends fc.Arbitrary<readonly (infer A)[]> ? A : never;

/** `[allowed by the flows, allowed by the oracle]`. */
function both(fabric: Fabric, cluster: OracleCluster, attempt: Attempt): readonly [boolean, boolean] {
  const pod = (i: number): PodName => {
    const p = cluster.pods[i % cluster.pods.length];
    return `${p?.namespace}/${p?.name}` as PodName;
  };
  const [from, to] = [pod(attempt.from), pod(attempt.to)];
  const { family, protocol, port } = attempt;
  const ask = (source: string, destination: string, viaService = false) =>
    oracleAllows(cluster, { source, destination, protocol, viaService, ...(protocol === 'ICMP' ? {} : { port }) });
  const address = podIps(to)[family];
  const l4 = protocol === 'ICMP' ? 'UDP' : protocol;
  if (attempt.kind === 'pods')
    return [
      fabric.talks({ from, to, family: family === 0 ? 4 : 6, protocol, port }),
      ask(podIps(from)[family], address),
    ];
  // Every pod has its service, whose port 80 goes to its own 80: itself, every second time.
  if (attempt.kind === 'service') {
    const receiver = attempt.which < 2 ? from : to;
    return [
      fabric.talks({ from, to: receiver, family: family === 0 ? 4 : 6, protocol, port, viaService: true }),
      ask(podIps(from)[family], podIps(receiver)[family], true),
    ];
  }
  const nodeAddress = (name: string): string => {
    const own = (cluster.nodes.find((n) => n.name === name)?.addresses ?? []).filter(
      (a) => a.includes(':') === (family === 1),
    );
    return own[attempt.which % own.length] ?? '';
  };
  const nodeName = NODES[attempt.which % NODES.length]?.name ?? '';
  if (attempt.kind === 'to world' || attempt.kind === 'to node') {
    const place = placeOf(from);
    const target = attempt.kind === 'to world' ? (WORLD[family][attempt.which] as string) : nodeAddress(nodeName);
    const { deliveries } = fabric.send(from, somePacket(place.mac, podIps(from)[family], target, l4, port));
    // An address of another node's heddle0 lies in that node's block and is reached through the tunnel.
    expect(deliveries.every((d) => d.ofport === 2)).toBe(true);
    return [deliveries.length > 0, ask(podIps(from)[family], target)];
  }
  const place = placeOf(to);
  // What another node sends comes from heddle0's address there, or it would not come by the tunnel.
  const node = attempt.kind === 'from world' ? place.node : nodeName;
  const source =
    attempt.kind === 'from world'
      ? (WORLD[family][attempt.which] as string)
      : (NODES.find((n) => n.name === node)?.gatewayIps[family] ?? '');
  const packet = somePacket('02:00:00:00:01:00', source, address, l4, port);
  const { deliveries } = fabric.sendAt(node, 2, packet);
  expect(deliveries.every((d) => d.node === place.node && d.ofport === place.ofport)).toBe(true);
  return [deliveries.length > 0, ask(source, address)];
}

const somePacket = (mac: string, src: string, dst: string, protocol: 'TCP' | 'UDP' | 'SCTP', dstPort: number): Packet =>
  l4Packet({
    ethSrc: mac,
    ethDst: '0a:58:00:00:00:01',
    src,
    dst,
    protocol: protocol.toLowerCase() as 'tcp' | 'udp' | 'sctp',
    srcPort: 40001,
    dstPort,
  });

test.each(['geneve', 'vxlan'] as const)(
  'oracle = compiled flows on random clusters, %s',
  { timeout: 120_000 },
  (encap) => {
    const fabric = new Fabric(encap);
    let allowed = 0;
    let denied = 0;
    fc.assert(
      fc.property(randomCluster, attempts, (cluster, list) => {
        fabric.become(factsOf(cluster, encap));
        for (const attempt of list) {
          // Only pods play ICMP, and services of the cluster have TCP and UDP 80 only.
          const played: Attempt =
            attempt.kind === 'service'
              ? { ...attempt, port: 80, protocol: attempt.protocol === 'UDP' ? 'UDP' : 'TCP' }
              : attempt.kind !== 'pods' && attempt.protocol === 'ICMP'
                ? { ...attempt, protocol: 'UDP' }
                : attempt;
          fabric.forget();
          const [flows, oracle] = both(fabric, cluster, played);
          if (oracle) allowed++;
          else denied++;
          expect(flows, JSON.stringify(played)).toBe(oracle);
        }
      }),
      { numRuns: RUNS },
    );
    // A generator that never isolates anybody, or always everybody, would prove nothing.
    expect(Math.min(allowed, denied) / (allowed + denied)).toBeGreaterThan(0.1);
  },
);

test('explanations on random clusters: the right verdict, and flows and policies never disagree', {
  timeout: 120_000,
}, () => {
  const fabric = new Fabric();
  fc.assert(
    fc.property(randomCluster, attempts, (cluster, list) => {
      fabric.become(factsOf(cluster));
      for (const { from, to, protocol, port } of list.slice(0, 10)) {
        const end = (i: number) => cluster.pods[i % cluster.pods.length] as OraclePod;
        const [source, destination] = [end(from), end(to)];
        const { paths } = explain(fabric.compiler, {
          from: { kind: 'pod', namespace: source.namespace, name: source.name },
          to: { kind: 'pod', namespace: destination.namespace, name: destination.name },
          protocol,
          ...(protocol === 'ICMP' ? {} : { port }),
        });
        const want = ([0, 1] as const).map((family) =>
          oracleAllows(cluster, {
            source: source.ips[family] as string,
            destination: destination.ips[family] as string,
            protocol,
            ...(protocol === 'ICMP' ? {} : { port }),
          }),
        );
        expect(paths.map((p) => p.verdict === 'allowed')).toEqual(want);
        expect(paths.flatMap((p) => p.decisions).filter((d) => d.decision === 'disagreement')).toEqual([]);
      }
    }),
    { numRuns: RUNS },
  );
});
