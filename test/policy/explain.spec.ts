import { explain, ip, parseExplainEnd } from '@heddle/compiler';
import { expect, test } from 'vitest';
import { PODS } from './cluster.js';
import { Fabric } from './fabric.js';
import { factsOf } from './facts.js';
import { clusterUnder, podIps } from './pods.js';
import { formatReach, parseReach } from './reach.js';
import { TRUTH_TABLE } from './truth-table.js';

// Explanations of the whole table: the verdict is right, policies and flows agree, and a denial names who denied.
const fabric = new Fabric();
const rows = TRUTH_TABLE.flatMap((c) => c.probes.map((p) => [`${c.name}, ${p.protocol} ${p.port}`, c, p] as const));

test.each(rows)('explained: %s', (_, setting, probe) => {
  fabric.become(factsOf(clusterUnder(setting)));
  const { policies, clusterPolicies } = clusterUnder(setting);
  const names = new Set([...policies, ...clusterPolicies].map((p) => p.metadata.name));
  const got = formatReach((from, to) => {
    const target = probe.viaService ? `svc:${to}` : to;
    const { verdict, paths, summary } = explain(fabric.compiler, {
      from: parseExplainEnd(from) as never,
      to: parseExplainEnd(target),
      protocol: probe.protocol,
      port: probe.port,
    });
    expect(paths.map((p) => [p.family, p.verdict])).toEqual([
      [4, verdict],
      [6, verdict],
    ]);
    const decisions = paths.flatMap((p) => p.decisions);
    expect(decisions.filter((d) => d.decision === 'disagreement')).toEqual([]);
    const deniers = decisions.filter((d) => d.decision === 'denied');
    expect(deniers.length > 0, summary).toBe(verdict === 'denied');
    for (const d of deniers) {
      expect(d.objects.length).toBeGreaterThan(0);
      for (const o of d.objects) expect(names).toContain(o.name);
    }
    return verdict === 'allowed';
  });
  const through = parseReach(probe.reach);
  expect(got).toBe(formatReach((from, to) => through.has(`${from} > ${to}`)));
});

test('addresses of pods stand for the pods', () => {
  fabric.become(factsOf(clusterUnder({ policies: [] })));
  for (const pod of PODS) {
    const { verdict, paths } = explain(fabric.compiler, {
      from: { kind: 'ip', ip: ip(podIps(pod)[0]) },
      to: { kind: 'ip', ip: ip(podIps('y/b')[0]) },
      protocol: 'TCP',
      port: 80,
    });
    expect([verdict, paths[0]?.source]).toEqual(['allowed', podIps(pod)[0]]);
  }
});
