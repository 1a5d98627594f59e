import { Attachment, NodeConfig, path, RealizedAnswer, ROUTES, StatusView } from '@heddle/api';
import { afterEach, beforeEach } from 'vitest';
import { TestFolder } from './folder.js';
import { type Harness, startHarness } from './harness.js';

/** Two pods, web-0 and web-1, behind a service. */
export const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, ports: [{ name: http, containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: http }] }
`;
/** Lets only the web pods in to each other. */
export const WEB_ONLY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web-only, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  ingress:
  - from: [{ podSelector: { matchLabels: { app: web } } }]
    ports: [{ port: http }]
`;
/** @param labels as YAML */
export const shopPod = (name: string, labels: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: shop, labels: ${labels} }\nspec: { containers: [{ name: c }] }\n`;

/** What the agent of node1 registers. */
export const NODE = { encapIp: '172.31.99.1', addresses: ['172.31.99.1'], underlayMtu: 1500, datapathType: 'netdev' };
/** What it asks for the first pod. */
export const ADD = { node: 'node1', containerId: 'c1', ifname: 'eth0', namespace: 'shop', pod: 'web-0' };

/** A controller over a directory of manifests with a small shop in it, and what agents say to it. */
export class Shop {
  folder!: TestFolder;
  h!: Harness;

  begin(): void {
    this.folder = new TestFolder();
    this.folder.write('web.yaml', WEB);
  }
  async end(): Promise<void> {
    await this.h?.stop();
    this.folder.remove();
  }

  async start(environment?: Readonly<Record<string, string>>): Promise<void> {
    this.h = await startHarness(this.folder, environment);
  }
  register(name = 'node1', body: object = NODE): Promise<NodeConfig> {
    return this.h.client.put(path(ROUTES.agentNode, name), NodeConfig, { body });
  }
  attach(body: object = ADD): Promise<Attachment> {
    return this.h.client.post(ROUTES.agentAttach, Attachment, { body });
  }
  realized(portKey: number, timeoutMs: number): Promise<RealizedAnswer> {
    return this.h.client.post(ROUTES.agentRealized, RealizedAnswer, { body: { portKey, timeoutMs } });
  }
  status(waitMs?: number): Promise<StatusView> {
    return this.h.client.get(ROUTES.status, StatusView, { query: { waitMs } });
  }
}

/** A new shop for each test. The test starts the controller. */
export function useShop(): Shop {
  const shop = new Shop();
  beforeEach(() => shop.begin());
  afterEach(() => shop.end());
  return shop;
}
