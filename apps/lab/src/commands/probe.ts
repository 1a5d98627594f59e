import { controllerClient } from '../host/controller.js';
import type { LabPaths } from '../host/paths.js';
import { requireLabState } from '../host/state.js';
import type { Probe, ProbeResult } from '../pod/protocol.js';
import { askPod } from '../probe/ask.js';
import { readCluster } from '../probe/cluster.js';
import { parseTargets, podsNamed } from '../probe/targets.js';

export interface ProbeOptions {
  /** Pods; a Deployment's name stands for all of its pods. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly protocol: readonly Probe['protocol'][];
  readonly timeoutMs: number;
  readonly count: number;
  readonly bytes?: number;
}

/** One connection that was tried, and how it went. */
export interface ProbeReport extends ProbeResult {
  readonly from: string;
  /** As asked for. */
  readonly to: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: Probe['protocol'];
}

/** Runs every combination of sources, targets, addresses and protocols; each pod runs its own at once, all pods at the same time. */
export async function probe(paths: LabPaths, options: ProbeOptions): Promise<ProbeReport[]> {
  await requireLabState(paths);
  const cluster = await readCluster(paths, controllerClient(paths));
  const sources = options.from.flatMap((f) => (f === 'all' ? cluster.pods : podsNamed(cluster.pods, f)));
  const wanted = options.to.flatMap((t) => (t === 'all' ? cluster.pods.map((p) => `${p.namespace}/${p.name}`) : [t]));
  const probes = wanted.flatMap((to) =>
    options.protocol
      .flatMap((protocol) => parseTargets(cluster, to, protocol))
      .flatMap((t) =>
        t.addresses.flatMap((address) =>
          Array.from({ length: options.count }, () => ({
            to,
            address,
            port: t.port,
            protocol: t.protocol,
            timeoutMs: options.timeoutMs,
            ...(options.bytes === undefined ? {} : { bytes: options.bytes }),
          })),
        ),
      ),
  );
  const reports = await Promise.all(
    sources.map(async (pod): Promise<ProbeReport[]> => {
      const from = `${pod.namespace}/${pod.name}`;
      const results = await askPod(from, pod.probeSocket, probes);
      return results.flatMap((result, i): ProbeReport[] => {
        const p = probes[i];
        return p === undefined
          ? []
          : [{ from, to: p.to, address: p.address, port: p.port, protocol: p.protocol, ...result }];
      });
    }),
  );
  return reports.flat();
}
