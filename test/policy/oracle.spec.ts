import { describe, expect, test } from 'vitest';
import { PODS, type PodName, SERVICE_PORTS } from './cluster.js';
import { type OraclePacket, oracleAllows } from './oracle.js';
import { clusterUnder, podIps } from './pods.js';
import { formatReach, parseReach } from './reach.js';
import { TRUTH_TABLE } from './truth-table.js';
import type { Probe } from './types.js';

/** Lines of the 48 entries about traffic in test/e2e/network/netpol/network_policy.go of Kubernetes 1.36. */
const E2E_LINES = [
  80, 110, 129, 155, 182, 200, 222, 249, 278, 312, 347, 382, 407, 438, 468, 513, 531, 555, 590, 613, 639, 672, 703, 724,
  749, 766, 783, 825, 883, 912, 933, 961, 989, 1019, 1050, 1085, 1135, 1176, 1204, 1224, 1246, 1273, 1313, 1331, 1360,
  1405, 1423, 1452,
];

describe('the table', () => {
  test('has at least 60 cases with names of their own', () => {
    expect(TRUTH_TABLE.length).toBeGreaterThanOrEqual(60);
    expect(new Set(TRUTH_TABLE.map((c) => c.name)).size).toBe(TRUTH_TABLE.length);
  });
  test("covers every traffic entry of Kubernetes' own suite once", () => {
    expect(TRUTH_TABLE.flatMap((c) => c.e2e ?? []).toSorted((a, b) => a - b)).toEqual(E2E_LINES);
  });
  test.each(TRUTH_TABLE.flatMap((c) => c.probes.map((p) => [c.name, p] as const)))(
    'is nine by nine: %s',
    (_, { reach }) => {
      expect(formatReach((a, b) => parseReach(reach).has(`${a} > ${b}`))).toBe(
        reach
          .trim()
          .split('\n')
          .map((line, i) => (i < 2 ? `    ${line.trim()}` : line.trim()))
          .join('\n'),
      );
    },
  );
  // Through a service only where no cluster policy is in the way.
  test.each(
    TRUTH_TABLE.flatMap((c) =>
      c.probes
        .filter((p) => p.viaService === undefined || (c.clusterPolicies ?? []).length === 0)
        .map((p) => [c.name, p] as const),
    ),
  )('a pod always reaches itself: %s', (_, { reach }) => {
    expect(PODS.filter((p) => !parseReach(reach).has(`${p} > ${p}`))).toEqual([]);
  });
});

/** Port of the pod behind the port of the probe. */
const BACKEND_PORT: Readonly<Record<string, number>> = { 'tcp-80': 80, 'tcp-8081': 81, 'udp-80': 80 };
function podPort(probe: Probe): number {
  if (!probe.viaService) return probe.port;
  const port = SERVICE_PORTS.find((p) => p.protocol === probe.protocol && p.port === probe.port);
  return BACKEND_PORT[port?.name ?? ''] ?? Number.NaN;
}

const rows = TRUTH_TABLE.flatMap((c) =>
  c.probes.flatMap((p) =>
    ([0, 1] as const).map(
      (family) => [`${c.name}, ${p.protocol} ${p.port}, IPv${family === 0 ? 4 : 6}`, c, p, family] as const,
    ),
  ),
);
test.each(rows)('the oracle agrees: %s', (_, setting, probe, family) => {
  const cluster = clusterUnder(setting);
  const packet = (from: PodName, to: PodName): OraclePacket => ({
    source: podIps(from)[family],
    destination: podIps(to)[family],
    protocol: probe.protocol,
    port: podPort(probe),
    viaService: probe.viaService ?? false,
  });
  const got = formatReach((from, to) => oracleAllows(cluster, packet(from, to)));
  const through = parseReach(probe.reach);
  expect(got).toBe(formatReach((from, to) => through.has(`${from} > ${to}`)));
});
