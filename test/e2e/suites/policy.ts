import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PolicyView, ROUTES } from '@heddle/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Probe, ProbeResult } from '../../../apps/lab/src/pod/protocol.js';
import {
  CONTAINER_PORTS,
  NAMESPACES,
  namespaceLabels,
  PLACEMENT,
  PODS,
  type PodName,
  podLabels,
  SERVICE_PORTS,
} from '../../policy/cluster.js';
import { type AddressBook, expandAddresses, expandNetworks } from '../../policy/manifests.js';
import { CLUSTER_CIDRS, splitName } from '../../policy/pods.js';
import { formatReach, parseReach } from '../../policy/reach.js';
import type { TRUTH_TABLE } from '../../policy/truth-table.js';
import type { Probe as Row, Setting } from '../../policy/types.js';
import { type TestLab, until } from '../../support/lab.js';

// The truth table with real packets: nine pods on three nodes, every pair, both families.

const FAMILIES = [4, 6] as const;
/** How long an answer that is due may take: packets may be late, even lost (TCP sends again after 1, 3 and 7 s). */
const PATIENCE_MS = 10_000;
/** How long nothing may come where nothing must; as long as the slowest answer that is due, if that is longer. */
const SILENCE_MS = 400;
/**
 * Open vSwitch acknowledges a bundle a few milliseconds before its revalidators have taken the change over into the datapath's cache
 * (measured: one of ten changes let a connection through when the probe came at once, none 5 ms later). OpenFlow has no word for that
 * moment, barriers included. A cache that is emptied needs no such pause.
 */
const CACHE_MS = 100;
const TABLES_AT_ONCE = 4;
const ofFamily = (addresses: readonly string[], family: 4 | 6) =>
  addresses.find((a) => a.includes(':') === (family === 6)) ?? '';

function clusterObjects(setting: Setting): object[] {
  const namespaces = NAMESPACES.map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { ...namespaceLabels(name), ...setting.labels?.namespaces?.[name] } },
  }));
  const pods = PODS.map((pod) => {
    const [namespace, name] = splitName(pod);
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name, labels: { ...podLabels(name), ...setting.labels?.pods?.[pod] } },
      spec: {
        nodeName: `node${PLACEMENT[pod] + 1}`,
        containers: [{ name: 'echo', image: 'heddle/echo', ports: CONTAINER_PORTS }],
      },
    };
  });
  const services = PODS.map((pod) => {
    const [namespace, name] = splitName(pod);
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace, name },
      spec: { selector: { pod: name }, ports: SERVICE_PORTS, ipFamilyPolicy: 'PreferDualStack' },
    };
  });
  return [...namespaces, ...pods, ...services];
}

const documents = (objects: readonly object[]) => objects.map((o) => JSON.stringify(o)).join('\n---\n');

export interface PolicySuite {
  readonly lab: TestLab;
  readonly cases: typeof TRUTH_TABLE;
  /** Arguments of `up` that say where objects come from. */
  readonly source?: () => Promise<readonly string[]>;
  /** Puts manifests in force; without it they are written into the watched directory. */
  readonly put?: (file: string, text: string) => Promise<void>;
  /** Waits until packets are judged by the setting that is in force; without it the caches are emptied here. */
  readonly judged?: () => Promise<void>;
}

/** One connection to try. */
interface Look {
  /** For example `x/a > y/b`. */
  readonly pair: string;
  readonly from: PodName;
  /** Position of its table among those of the case. */
  readonly table: number;
  readonly due: boolean;
  readonly probe: Omit<Probe, 'timeoutMs'>;
}

/** Cases of the truth table with real packets. Gives what puts another setting in force. */
export function policySuite({ lab, cases, put, judged = () => lab.purge(), source = async () => [] }: PolicySuite): {
  establish(setting: Setting): Promise<void>;
} {
  let folder: string;
  let changes = 0;

  const addresses = new Map<string, readonly string[]>();
  const clusterIps = new Map<string, readonly string[]>();
  const book: AddressBook = { podIps: (pod) => addresses.get(pod) ?? [], clusterCidrs: CLUSTER_CIDRS };

  /** Puts a setting in force at every switch: its objects and a policy that selects nothing, whose name tells that the source has read them. */
  async function establish(setting: Setting): Promise<void> {
    changes += 1;
    const marker = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: 'marker', name: `change-${changes}` },
      spec: { podSelector: { matchLabels: { no: 'pod' } } },
    };
    const policies = [
      ...setting.policies.map((p) => expandAddresses(p, book)),
      ...(setting.clusterPolicies ?? []).map((p) => expandNetworks(p, book)),
    ];
    const text = documents([...clusterObjects(setting), ...policies, marker]);
    if (put === undefined) lab.writeManifest('cluster.yaml', text);
    else await put('cluster.yaml', text);
    await until(`change ${changes} is read`, async () =>
      (await lab.api.get(ROUTES.policies, z.array(PolicyView))).some((p) => p.name === `change-${changes}`),
    );
    await lab.acknowledged();
  }

  const looksOf = (row: Row, family: 4 | 6, table: number): Look[] => {
    const due = parseReach(row.reach);
    return PODS.flatMap((from) =>
      PODS.map((to) => {
        const address = ofFamily((row.viaService ? clusterIps : addresses).get(to) ?? [], family);
        const pair = `${from} > ${to}`;
        const protocol = row.protocol === 'UDP' ? 'udp' : 'tcp';
        return { pair, from, table, due: due.has(pair), probe: { protocol, port: row.port, address } };
      }),
    );
  };

  /** Tries them all at once, each sender its own. */
  async function ask(looks: readonly Look[], timeoutMs: (look: Look) => number): Promise<Map<Look, ProbeResult>> {
    const answers = await Promise.all(
      PODS.map(async (from) => {
        const own = looks.filter((look) => look.from === from);
        const results = await lab.probe(
          from,
          own.map((look) => ({ ...look.probe, timeoutMs: timeoutMs(look) })),
        );
        return own.map((look, i) => [look, results[i] as ProbeResult] as const);
      }),
    );
    return new Map(answers.flat());
  }

  async function measure(looks: readonly Look[]): Promise<Map<Look, ProbeResult>> {
    const results = await ask(looks, ({ due }) => (due ? PATIENCE_MS : SILENCE_MS));
    const slowest = Math.max(0, ...looks.filter((l) => l.due).map((l) => results.get(l)?.ms ?? 0));
    // Silence says something only if it lasts longer than an answer takes.
    const silent = looks.filter((l) => !l.due && results.get(l)?.outcome === 'timeout');
    if (slowest > SILENCE_MS) for (const [look, result] of await ask(silent, () => slowest)) results.set(look, result);
    return results;
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'heddle-policy-'));
    writeFileSync(join(folder, 'cluster.yaml'), documents(clusterObjects({ policies: [] })));
    await lab.up(folder, ...(await source()));
    for (const pod of PODS) {
      addresses.set(pod, (await lab.pod(pod)).ips);
      clusterIps.set(pod, (await lab.service(pod)).clusterIps);
    }
  }, 180_000);
  afterAll(async () => {
    await lab.down();
    rmSync(folder, { recursive: true, force: true });
  });

  describe('network policy with real packets', () => {
    const rows = cases.map((c) => [c.name, c] as const);
    it.each(rows)('%s', async (_name, c) => {
      // An API server keeps the policyTypes that it filled in when a policy of the same name had other sections.
      if (put !== undefined) await establish({ policies: [] });
      if (c.before !== undefined) await establish(c.before);
      await establish(c);
      await judged();
      if (!(await lab.keepsDecisions())) await new Promise((resolve) => setTimeout(resolve, CACHE_MS));
      // Node has no SCTP sockets and this kernel may have none either: the evaluator covers these rows.
      const rows = c.probes.filter(({ protocol }) => protocol !== 'SCTP');
      const tables = rows.flatMap((row) => FAMILIES.map((family) => ({ row, family })));
      const looks = tables.flatMap(({ row, family }, i) => looksOf(row, family, i));
      const results = new Map<Look, ProbeResult>();
      // Few enough at once that none is lost for their number.
      for (let i = 0; i < tables.length; i += TABLES_AT_ONCE)
        for (const [look, result] of await measure(
          looks.filter((l) => Math.floor(l.table / TABLES_AT_ONCE) === i / TABLES_AT_ONCE),
        ))
          results.set(look, result);
      const nameOf = ({ row, family }: (typeof tables)[number]) =>
        `${row.protocol} ${row.port}${row.viaService ? ' of the service' : ''}, IPv${family}`;
      const tablesOf = (reached: (look: Look) => boolean) =>
        tables.map((t, i) => {
          const through = new Set(looks.filter((l) => l.table === i && reached(l)).map((l) => l.pair));
          return `${nameOf(t)}\n${formatReach((from, to) => through.has(`${from} > ${to}`))}`;
        });
      const got = (look: Look) => results.get(look)?.outcome === 'ok';
      const wrong = looks.flatMap((look) => {
        const { outcome, detail, ms } = results.get(look) as ProbeResult;
        // Neither is an answer of the network, so it cannot be what is expected.
        const isTrouble = outcome === 'error' || outcome === 'unsupported';
        if (got(look) === look.due && !isTrouble) return [];
        return `${look.pair}, ${nameOf(tables[look.table] as (typeof tables)[number])}: ${outcome} ${detail ?? ''} after ${ms} ms`;
      });
      expect({ wrong, tables: tablesOf(got) }).toEqual({ wrong: [], tables: tablesOf((look) => look.due) });
    });
  });
  return { establish };
}
