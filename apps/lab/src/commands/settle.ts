import { type ApiClient, PodView, PolicyView, ProblemView, ROUTES, ServiceView, StatusView } from '@heddle/api';
import { z } from 'zod';
import type { ManifestObject } from '../host/manifests.js';
import type { LabPaths } from '../host/paths.js';
import { waitFor } from '../host/run.js';
import { type PodRecord, type RefusedPod, readKubelet } from '../host/state.js';
import { specHash } from '../kubelet/containers.js';

const POLL_MS = 100;
/** Of more objects the first are named. */
const MAX_NAMED = 20;

/**
 * Waits until exactly the pods of the controller's source run.
 * @throws Error that names the pods that do not, and why
 */
export async function waitForPods(
  paths: LabPaths,
  api: ApiClient,
  timeoutMs: number,
  say: (text: string) => void,
): Promise<void> {
  let waitingFor: string[] = [];
  let said = '';
  await waitFor(
    () => `pods that do not run: ${waitingFor.join('; ')}`,
    timeoutMs,
    async () => {
      const [wanted, actual] = await Promise.all([api.get(ROUTES.pods, z.array(PodView)), readKubelet(paths)]);
      waitingFor = unsettled(wanted, actual.pods, actual.refused);
      const text = `${wanted.length - waitingFor.length} of ${wanted.length} pods run`;
      if (text !== said && waitingFor.length > 0) say(text);
      said = text;
      return waitingFor.length === 0 ? true : undefined;
    },
    POLL_MS,
  );
  say(`${said}`);
}

/** What is left to do for the kubelet part, a phrase each. */
export function unsettled(
  wanted: readonly z.infer<typeof PodView>[],
  actual: readonly PodRecord[],
  refused: readonly RefusedPod[] = [],
): string[] {
  const records = new Map(actual.map((p) => [`${p.namespace}/${p.name}`, p]));
  const names = new Set(wanted.map((p) => `${p.namespace}/${p.name}`));
  const starting = wanted.flatMap((pod) => {
    const name = `${pod.namespace}/${pod.name}`;
    const record = records.get(name);
    if (record === undefined) return [`${name} (${refused.find((r) => r.pod === name)?.reason ?? 'not begun'})`];
    if (record.phase !== 'running') return [`${name} (${record.reason ?? record.phase})`];
    if (record.spec !== specHash(pod)) return [`${name} (to be restarted)`];
    if (!pod.hostNetwork && pod.attachment === null) return [`${name} (not attached)`];
    return [];
  });
  const stopping = actual.map((p) => `${p.namespace}/${p.name}`).filter((n) => !names.has(n));
  return [...starting, ...stopping.map((n) => `${n} (to be removed)`)];
}

/**
 * Waits until the controller's source shows the objects (or no longer shows them), the pods follow, and every switch has acknowledged.
 * @throws Error that says what is missing
 */
export async function settle(
  paths: LabPaths,
  api: ApiClient,
  objects: readonly ManifestObject[],
  present: boolean,
  timeoutMs: number,
  say: (text: string) => void,
): Promise<StatusView> {
  await untilShown(api, objects, present, timeoutMs);
  await statusOf(api, timeoutMs);
  await waitForPods(paths, api, timeoutMs, say);
  return acknowledged(api, timeoutMs);
}

/** Waits until the controller's source shows the objects, or no longer shows them. @throws Error that names what it shows otherwise */
export async function untilShown(
  api: ApiClient,
  objects: readonly ManifestObject[],
  present: boolean,
  timeoutMs: number,
): Promise<void> {
  let missing: string[] = [];
  await waitFor(
    () => {
      const named = missing.slice(0, MAX_NAMED).join(', ');
      return `the controller does not show ${present ? '' : 'the removal of '}${named}; see: bin/heddle problems`;
    },
    timeoutMs,
    async () => {
      missing = await notAs(api, objects, present);
      return missing.length === 0 ? true : undefined;
    },
    POLL_MS,
  );
}

/** Waits until every switch has acknowledged. @throws Error that says what it waits for */
export async function acknowledged(api: ApiClient, timeoutMs: number): Promise<StatusView> {
  const status = await statusOf(api, timeoutMs);
  if (!status.realized) throw new Error(`not realized: ${status.waitingFor.join('; ')}`);
  return status;
}

const statusOf = (api: ApiClient, timeoutMs: number): Promise<StatusView> =>
  api.get(ROUTES.status, StatusView, { query: { waitMs: timeoutMs }, timeoutMs: timeoutMs + 10_000 });

/** Objects that the source does not show as it should. Kinds that the API has no list of are not looked for. */
async function notAs(api: ApiClient, objects: readonly ManifestObject[], present: boolean): Promise<string[]> {
  const [pods, services, policies] = await Promise.all([
    api.get(ROUTES.pods, z.array(PodView)),
    api.get(ROUTES.services, z.array(ServiceView)),
    api.get(ROUTES.policies, z.array(PolicyView)),
  ]);
  const shows = (o: ManifestObject): boolean | undefined => {
    const same = (v: { readonly namespace: string; readonly name: string }) =>
      v.namespace === o.namespace && v.name === o.name;
    if (o.kind === 'Pod')
      return pods.some((p) => same(p) && (!present || Object.entries(o.labels).every(([k, v]) => p.labels[k] === v)));
    if (o.kind === 'Service') return services.some(same);
    if (o.kind.endsWith('NetworkPolicy')) return policies.some((p) => p.kind === o.kind && same(p));
    if (o.pods === 0) return undefined;
    const replicas = pods.filter((p) => p.namespace === o.namespace && p.name.startsWith(`${o.name}-`)).length;
    return present ? replicas >= o.pods : replicas > 0;
  };
  return objects.filter((o) => shows(o) === !present).map((o) => `${o.kind} ${o.namespace}/${o.name}`);
}

/** Problems that the controller has with the given files. */
export async function problemsOf(api: ApiClient, files: readonly string[]): Promise<z.infer<typeof ProblemView>[]> {
  const problems = await api.get(ROUTES.problems, z.array(ProblemView));
  return problems.filter((p) => files.some((f) => p.file === f || p.file.endsWith(`/${f}`)));
}
