// The API server of watch.ts, in a process of its own: `node watch-api.ts` with an IPC channel.
import { type KubeApi, startKubeApi } from '../support/kube-api/index.ts';

export interface Population {
  readonly nodes: number;
  readonly pods: number;
  readonly services: number;
  readonly policies: number;
}
export interface Traffic {
  readonly seconds: number;
  /** Pods whose labels change, a second. */
  readonly updates: number;
  /** Pods whose status changes in something that nobody uses, a second. */
  readonly statuses: number;
  /** Nodes that tell that they live, a second. */
  readonly heartbeats: number;
}
export type Command =
  | { readonly kind: 'start'; readonly folder: string; readonly population: Population }
  | { readonly kind: 'traffic'; readonly traffic: Traffic };
export type Answer =
  | { readonly kind: 'started'; readonly kubeconfig: string; readonly podBytes: number; readonly nodeBytes: number }
  /** When each label change was made, in their order (milliseconds since 1970); what was really made of the rest. */
  | {
      readonly kind: 'done';
      readonly updatedAt: readonly number[];
      readonly statuses: number;
      readonly heartbeats: number;
    };

const PODS_PER_NAMESPACE = 100;
const REPLICAS = 10;
const namespaceOf = (pod: number) => `ns-${Math.floor(pod / PODS_PER_NAMESPACE)}`;
const ipOf = (i: number) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;

/** As large as pods are in clusters that people run: environment, volumes, managedFields, a status. */
function pod(i: number, nodes: number, version: number, noise: number): object {
  const app = `app-${Math.floor(i / REPLICAS)}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${app}-7d4b9c8f6b-${i.toString(36).padStart(5, '0')}`,
      namespace: namespaceOf(i),
      labels: {
        'app.kubernetes.io/name': app,
        'app.kubernetes.io/part-of': `team-${i % 40}`,
        'pod-template-hash': '7d4b9c8f6b',
        ...(version === 0 ? {} : { version: String(version) }),
      },
      annotations: { 'prometheus.io/scrape': 'true', 'checksum/config': 'f'.repeat(64) },
      managedFields: [
        {
          manager: 'kube-controller-manager',
          operation: 'Update',
          apiVersion: 'v1',
          fieldsType: 'FieldsV1',
          fieldsV1: {
            'f:metadata': { 'f:labels': { '.': {} } },
            'f:spec': { 'f:containers': { 'k:{"name":"main"}': {} } },
          },
        },
      ],
    },
    spec: {
      nodeName: `node-${i % nodes}`,
      serviceAccountName: `sa-${i % 20}`,
      containers: [
        {
          name: 'main',
          image: `registry.example.com/team-${i % 40}/${app}:v1.2.3`,
          args: ['--config=/etc/app/config.yaml', '--listen=:8080'],
          env: Array.from({ length: 12 }, (_, n) => ({ name: `SETTING_${n}`, value: `value-${n}-of-${app}` })),
          ports: [
            { name: 'http', containerPort: 8080, protocol: 'TCP' },
            { name: 'metrics', containerPort: 9090, protocol: 'TCP' },
          ],
          resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
          volumeMounts: [{ name: 'config', mountPath: '/etc/app' }],
        },
      ],
      volumes: [{ name: 'config', configMap: { name: app } }],
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
    },
    status: {
      phase: 'Running',
      podIP: ipOf(i),
      podIPs: [{ ip: ipOf(i) }],
      hostIP: ipOf(i % nodes),
      startTime: '2026-01-01T00:00:00Z',
      conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
        type,
        status: 'True',
        lastTransitionTime: '2026-01-01T00:00:00Z',
        observedGeneration: noise,
      })),
      containerStatuses: [
        { name: 'main', ready: true, restartCount: noise, image: 'x', imageID: 'sha256:'.padEnd(71, '0') },
      ],
    },
  };
}

/** A Node's status names every image that it holds. */
function node(i: number, noise: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: `node-${i}`,
      labels: { 'kubernetes.io/hostname': `node-${i}`, 'topology.kubernetes.io/zone': `z${i % 3}` },
    },
    status: {
      conditions: ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
        type,
        status: type === 'Ready' ? 'True' : 'False',
        lastHeartbeatTime: new Date(1_767_225_600_000 + noise * 1_000).toISOString(),
      })),
      images: Array.from({ length: 50 }, (_, n) => ({
        names: [`registry.example.com/image-${n}@sha256:${'a'.repeat(64)}`, `registry.example.com/image-${n}:v1`],
        sizeBytes: 123_456_789,
      })),
    },
  };
}

function populate(api: KubeApi, { nodes, pods, services, policies }: Population): void {
  for (let i = 0; i < Math.ceil(pods / PODS_PER_NAMESPACE); i++)
    api.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: `ns-${i}`, labels: { team: `team-${i % 40}` } } });
  for (let i = 0; i < nodes; i++) api.put(node(i, 0));
  for (let i = 0; i < pods; i++) api.put(pod(i, nodes, 0, 0));
  for (let i = 0; i < services; i++) {
    const namespace = namespaceOf((i * REPLICAS) % Math.max(pods, 1));
    api.put({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `svc-${i}`, namespace },
      spec: { selector: { 'app.kubernetes.io/name': `app-${i}` }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    api.put({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `svc-${i}-x`, namespace, labels: { 'kubernetes.io/service-name': `svc-${i}` } },
      addressType: 'IPv4',
      endpoints: Array.from({ length: REPLICAS }, (_, n) => ({
        addresses: [ipOf(i * REPLICAS + n)],
        conditions: { ready: true },
      })),
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    });
  }
  for (let i = 0; i < policies; i++)
    api.put({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `policy-${i}`, namespace: namespaceOf((i * REPLICAS) % Math.max(pods, 1)) },
      spec: {
        podSelector: { matchLabels: { 'app.kubernetes.io/name': `app-${i}` } },
        ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 8080, protocol: 'TCP' }] }],
      },
    });
}

/** Everything of a tick at once, as a busy cluster sends it. */
async function send(api: KubeApi, { nodes, pods }: Population, traffic: Traffic): Promise<Answer> {
  const updatedAt: number[] = [];
  let statuses = 0;
  let heartbeats = 0;
  const startedAt = performance.now();
  for (;;) {
    const seconds = Math.min(traffic.seconds, (performance.now() - startedAt) / 1_000);
    // Labels and statuses of different pods, so that each label change is one change of a fact.
    while (updatedAt.length < seconds * traffic.updates) {
      api.put(pod((updatedAt.length * 2) % pods, nodes, 1 + updatedAt.length, 0));
      updatedAt.push(Date.now());
    }
    while (statuses < seconds * traffic.statuses) {
      api.put(pod((statuses * 2 + 1) % pods, nodes, 0, 1 + statuses));
      statuses++;
    }
    while (heartbeats < seconds * traffic.heartbeats) api.put(node(heartbeats % nodes, 1 + heartbeats++));
    if (seconds >= traffic.seconds) break;
    await new Promise((done) => setTimeout(done, 10));
  }
  return { kind: 'done', updatedAt, statuses, heartbeats };
}

let api: KubeApi | undefined;
let population: Population | undefined;
process.on('message', async (command: Command) => {
  if (command.kind === 'start') {
    population = command.population;
    api = await startKubeApi({ serviceCidrs: ['10.96.0.0/12'], historyLimit: 100_000 });
    populate(api, population);
    const answer: Answer = {
      kind: 'started',
      kubeconfig: await api.kubeconfigFile(command.folder),
      podBytes: JSON.stringify(api.objects('pods')[0] ?? {}).length,
      nodeBytes: JSON.stringify(api.objects('nodes')[0] ?? {}).length,
    };
    process.send?.(answer);
  } else if (api !== undefined && population !== undefined)
    process.send?.(await send(api, population, command.traffic));
});
process.on('disconnect', () => process.exit(0));
