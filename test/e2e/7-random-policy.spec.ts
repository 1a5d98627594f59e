import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PODS, type PodName } from '../policy/cluster.js';
import { oracleAllows } from '../policy/oracle.js';
import { clusterUnder, podIps } from '../policy/pods.js';
import { randomSetting } from '../policy/random.js';
import { formatReach } from '../policy/reach.js';
import type { Case, Probe, Setting } from '../policy/types.js';
import { TestLab } from '../support/lab.js';
import { policySuite } from './suites/policy.js';

// Random policies of both kinds with real packets: who reaches whom is what the oracle says. Each state follows the one before,
// so what is left over from it would show.

const SETTINGS = Number(process.env.HEDDLE_LAB_SETTINGS ?? 8);
const SEED = 20_260_802;

/** What pods answer on, and the port of the pod behind the probe's. */
const PROBES: readonly (Omit<Probe, 'reach'> & { readonly podPort: number })[] = [
  { protocol: 'TCP', port: 80, podPort: 80 },
  { protocol: 'TCP', port: 81, podPort: 81 },
  { protocol: 'UDP', port: 80, podPort: 80 },
  { protocol: 'TCP', port: 8081, podPort: 81, viaService: true },
];

function caseOf(setting: Setting, i: number): Case {
  const cluster = clusterUnder(setting);
  const reaches = (from: PodName, to: PodName, { protocol, podPort, viaService }: (typeof PROBES)[number]) => {
    // The vocabulary of the settings has no address of one family alone, so both families are alike.
    const answers = ([0, 1] as const).map((family) =>
      oracleAllows(cluster, {
        source: podIps(from)[family],
        destination: podIps(to)[family],
        protocol,
        port: podPort,
        viaService: viaService === true,
      }),
    );
    if (answers[0] !== answers[1]) throw new Error(`${from} > ${to}: the families differ in setting ${i}`);
    return answers[0] === true;
  };
  const probes = PROBES.map(({ podPort, ...probe }) => ({
    ...probe,
    reach: formatReach((from, to) => reaches(from, to, { ...probe, podPort })),
  }));
  return { name: `random setting ${i}`, ...setting, probes };
}

/** Settings under which nobody, or everybody, is reached would prove little. */
const denied = ({ probes }: Case): number =>
  probes.reduce((n, p) => n + p.reach.replaceAll(/[^.]/g, '').length, 0) / (probes.length * PODS.length ** 2);
const cases = fc
  .sample(randomSetting, { seed: SEED, numRuns: SETTINGS * 4 })
  .map(caseOf)
  .filter((c) => denied(c) > 0.15 && denied(c) < 0.85)
  .slice(0, SETTINGS);

const lab = new TestLab();

/** Policy epochs that nodes were told. */
const told = new Set<number>();

policySuite({
  lab,
  cases,
  // As in a cluster: by the agents, however fast settings follow each other.
  judged: async () => {
    await lab.realized();
    for (const epoch of lab.policyEpochs.values()) told.add(epoch);
  },
});

it('nodes were told of every setting', async () => {
  if (await lab.keepsDecisions()) expect(told.size).toBeGreaterThanOrEqual(SETTINGS);
});

it('the sample has cluster policies of both tiers and network policies in it', () => {
  expect(cases).toHaveLength(SETTINGS);
  expect(cases.some((c) => c.policies.length > 0)).toBe(true);
  for (const tier of ['Admin', 'Baseline'])
    expect(cases.some((c) => c.clusterPolicies?.some((p) => p.spec.tier === tier))).toBe(true);
});
