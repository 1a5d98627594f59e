import { type ApiClient, PodView, ROUTES, ServiceView, StatusView } from '@heddle/api';
import { z } from 'zod';
import type { ManifestObject } from '../host/manifests.js';
import type { LabPaths } from '../host/paths.js';
import { waitFor } from '../host/run.js';
import { type LabState, readKubelet } from '../host/state.js';
import { KubeClient } from '../kube/client.js';
import { slicesOf } from '../kube/endpoint-slices.js';
import { readKubeconfig } from '../kube/kubeconfig.js';
import { isOver, isReady, type KubePod, type KubeService } from '../kube/objects.js';
import { acknowledged, untilShown } from './settle.js';

const POLL_MS = 100;

/** The client for the lab's API server; undefined where manifests are the source. */
export function kubeClient({ options }: LabState): KubeClient | undefined {
  return options.kubeconfig === null ? undefined : new KubeClient(readKubeconfig(options.kubeconfig));
}

/**
 * Waits until every pod of the lab's nodes is ready, none is to be ended or scheduled, and the controller shows the endpoints that follow from that.
 * @throws Error that names what is missing
 */
export async function waitForCluster(
  paths: LabPaths,
  state: LabState,
  kube: KubeClient,
  api: ApiClient,
  timeoutMs: number,
  say: (text: string) => void,
): Promise<void> {
  const nodes = new Set(state.nodes.map((n) => n.name));
  let missing: readonly string[] = [];
  let said = '';
  await waitFor(
    () =>
      `not settled: ${missing.slice(0, 20).join('; ')}${missing.length > 20 ? ` and ${missing.length - 20} more` : ''}`,
    timeoutMs,
    async () => {
      const [pods, services, views, podViews, kubelet] = await Promise.all([
        kube.list<KubePod>('/api/v1/pods'),
        kube.list<KubeService>('/api/v1/services'),
        api.get(ROUTES.services, z.array(ServiceView)),
        api.get(ROUTES.pods, z.array(PodView)),
        readKubelet(paths),
      ]);
      const ours = pods.items.filter((p) => p.spec.nodeName === undefined || nodes.has(p.spec.nodeName));
      const reasons = new Map(kubelet.refused.map((r) => [r.pod, r.reason]));
      const attached = new Set(podViews.flatMap((p) => (p.attachment === null ? [] : [`${p.namespace}/${p.name}`])));
      const waiting = ours.flatMap((p) => podTrouble(p, reasons, attached));
      missing = [...waiting, ...serviceTrouble(services.items, pods.items, views)];
      const text = `${ours.length - waiting.length} of ${ours.length} pods are ready`;
      if (text !== said && missing.length > 0) say(text);
      said = text;
      return missing.length === 0 ? true : undefined;
    },
    POLL_MS,
  );
  say(said);
}

function podTrouble(pod: KubePod, reasons: ReadonlyMap<string, string>, attached: ReadonlySet<string>): string[] {
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
  if (pod.metadata.deletionTimestamp !== undefined) return [`${name} (ending)`];
  if (isOver(pod)) return [];
  if (pod.spec.nodeName === undefined) return [`${name} (no node fits, or its scheduler is slow)`];
  const waiting = pod.status?.containerStatuses as { readonly state?: { readonly waiting?: { message?: string } } }[];
  if (!isReady(pod)) return [`${name} (${reasons.get(name) ?? waiting?.[0]?.state?.waiting?.message ?? 'not ready'})`];
  if (pod.spec.hostNetwork !== true && !attached.has(name))
    return [`${name} (the controller does not show it attached)`];
  return [];
}

/** Services whose endpoints at the controller are not those that the pods' readiness gives. */
function serviceTrouble(
  services: readonly KubeService[],
  pods: readonly KubePod[],
  views: readonly z.infer<typeof ServiceView>[],
): string[] {
  return views.flatMap((view) => {
    const service = services.find((s) => s.metadata.namespace === view.namespace && s.metadata.name === view.name);
    if (service?.spec.selector === undefined || view.clusterIps.length === 0) return [];
    type Endpoint = { readonly addresses: readonly string[]; readonly conditions: { readonly ready: boolean } };
    const slices = slicesOf(service, pods).filter((s) => (s.ports ?? []).length > 0);
    const expected = slices
      .flatMap((s) => (s.endpoints ?? []) as Endpoint[])
      .flatMap((e) => (e.conditions.ready ? e.addresses : []));
    const shown = view.ports.flatMap((p) => p.endpoints.map((e) => e.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')));
    const same = [...new Set(expected)].sort().join() === [...new Set(shown)].sort().join();
    return same ? [] : [`service ${view.namespace}/${view.name} (its endpoints are ${shown.join(' ') || 'none'})`];
  });
}

/** As `settle`, for objects that went to the API server. */
export async function settleCluster(
  paths: LabPaths,
  state: LabState,
  kube: KubeClient,
  api: ApiClient,
  { objects, present, timeoutMs }: { objects: readonly ManifestObject[]; present: boolean; timeoutMs: number },
  say: (text: string) => void,
): Promise<StatusView> {
  await untilShown(api, objects, present, timeoutMs);
  await waitForCluster(paths, state, kube, api, timeoutMs, say);
  return acknowledged(api, timeoutMs);
}
