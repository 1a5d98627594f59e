import type { Json } from '../../support/kube-api/index.js';
import { RawClient, untilTrue } from '../api-client.js';
import type { Server } from '../servers.js';
import { widgetDefinition } from '../widgets.js';

/** One of the servers while the behaviours are looked at. They are registered before it runs. */
export class Suite {
  private running: { readonly server: Server; readonly client: RawClient } | undefined;
  private count = 0;

  async begin(start: () => Promise<Server>): Promise<void> {
    const server = await start();
    this.running = { server, client: new RawClient(server) };
  }

  async end(): Promise<void> {
    this.running?.client.close();
    await this.running?.server.stop();
  }

  get server(): Server {
    return this.now().server;
  }
  get client(): RawClient {
    return this.now().client;
  }
  private now() {
    if (this.running === undefined) throw new Error('the server does not run yet');
    return this.running;
  }

  /** A namespace of its own for each test, and the path of its core kinds. */
  async namespace(): Promise<{ readonly ns: string; readonly core: string }> {
    const ns = `test-${++this.count}`;
    await this.client.must(this.client.post('/api/v1/namespaces', { metadata: { name: ns } }));
    return { ns, core: `/api/v1/namespaces/${ns}` };
  }

  /** Defines widgets if nobody has yet; the path of those of a namespace. */
  async widgets(ns: string): Promise<string> {
    const { code, body } = await this.client.post(
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      widgetDefinition(),
    );
    if (code !== 201 && code !== 409) throw new Error(JSON.stringify(body));
    const list = `/apis/test.heddle.dev/v1alpha1/namespaces/${ns}/widgets`;
    await untilTrue('widgets are served', async () => (await this.client.get(list)).code === 200);
    return list;
  }
}

export const pod = (name: string, more: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...more.metadata },
  spec: { containers: [{ name: 'c', image: 'pause:1' }], ...more.spec },
});
export const configMap = (
  name: string,
  data: Record<string, string> = {},
  labels: Record<string, string> = {},
): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data,
});
export const names = (list: Json): string[] => list.items.map((o: Json) => o.metadata.name);
export const fieldsOf = (status: Json): string[] => (status.details?.causes ?? []).map((c: Json) => c.field);
