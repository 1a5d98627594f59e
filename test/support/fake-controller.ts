import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  type ApiErrorCode,
  type Attachment,
  AttachRequest,
  DetachRequest,
  NodeConfig,
  RealizedRequest,
  RegisterNode,
} from '../../libs/api/src/index.js';

/** How the fake answers; change it at any time. */
export interface Behaviour {
  /** Milliseconds before each answer to a node that registers. */
  registerDelayMs: number;
  /** What answers of attach wait for. */
  attachGate: Promise<void> | undefined;
  /** Milliseconds before each answer of realized. */
  realizedDelayMs: number;
  /** Refuses attach, with this reason. */
  refuseAttach: Refusal | undefined;
  refuseDetach: Refusal | undefined;
  refuseRealized: Refusal | undefined;
  /** Changes what attach answers. */
  lease: (lease: Attachment) => Attachment;
}

export interface Refusal {
  readonly status: number;
  readonly code: ApiErrorCode;
  readonly message: string;
}

/** The agent's routes of the REST API, with a store in memory. */
export interface FakeController {
  readonly url: string;
  readonly behaviour: Behaviour;
  /** Recorded attachments, by `containerId/ifname`. */
  readonly attachments: Map<string, Attachment>;
  readonly registered: RegisterNode[];
  /** Names of the routes called, in order. */
  readonly calls: string[];
  config: NodeConfig;
  /** Raises the generation, so that waiting agents hear of it. */
  reconfigure(change: Partial<NodeConfig>): void;
  /** As if policies had changed in the node's switch. */
  changePolicies(): void;
  /** Takes no more connections and breaks those there are. */
  down(): Promise<void>;
  up(): Promise<void>;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts the fake on a unix socket. */
export async function startFakeController(socket: string, config: NodeConfig): Promise<FakeController> {
  const attachments = new Map<string, Attachment>();
  const pollers = new Set<() => void>();
  let next = 0;
  let server: Server | undefined;
  const fake: FakeController = {
    url: `unix:${socket}`,
    behaviour: {
      registerDelayMs: 0,
      attachGate: undefined,
      realizedDelayMs: 0,
      refuseAttach: undefined,
      refuseDetach: undefined,
      refuseRealized: undefined,
      lease: (lease) => lease,
    },
    attachments,
    registered: [],
    calls: [],
    config,
    reconfigure(change) {
      fake.config = NodeConfig.parse({ ...fake.config, ...change, generation: fake.config.generation + 1 });
      for (const wake of pollers) wake();
    },
    changePolicies() {
      fake.config = { ...fake.config, policyEpoch: (fake.config.policyEpoch ?? 0) + 1 };
      for (const wake of pollers) wake();
    },
    async down() {
      const closed = new Promise((resolve) => server?.close(resolve));
      server?.closeAllConnections();
      for (const wake of pollers) wake();
      await closed;
    },
    async up() {
      server = createServer((request, response) => {
        serve(request, response).catch((e: unknown) => answer(response, 500, { code: 'internal', message: String(e) }));
      });
      await new Promise<void>((resolve) => server?.listen(socket, resolve));
    },
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake');
    const body = await readJson(request);
    const route = `${request.method} ${url.pathname}`;
    fake.calls.push(route);
    const refuse = (r: Refusal) => answer(response, r.status, { code: r.code, message: r.message });
    if (route === `PUT /v1/agent/nodes/${fake.config.node}`) {
      fake.registered.push(RegisterNode.parse(body));
      await wait(fake.behaviour.registerDelayMs);
      answer(response, 200, fake.config);
    } else if (route === `GET /v1/agent/nodes/${fake.config.node}/config`) {
      const after = Number(url.searchParams.get('after') ?? 0);
      const epoch = url.searchParams.get('policyEpoch');
      const isOtherEpoch = epoch !== null && Number(epoch) !== (fake.config.policyEpoch ?? 0);
      if (fake.config.generation <= after && !isOtherEpoch)
        await pollOrTimeout(Number(url.searchParams.get('waitMs') ?? 0));
      answer(response, 200, fake.config);
    } else if (route === `GET /v1/agent/nodes/${fake.config.node}/attachments`) {
      answer(response, 200, [...attachments.values()]);
    } else if (route === `POST /v1/agent/nodes/${fake.config.node}/realized`) {
      if (fake.behaviour.refuseRealized) return refuse(fake.behaviour.refuseRealized);
      answer(response, 200, { node: fake.config.node, generation: fake.config.generation });
    } else if (route === 'POST /v1/agent/attach') {
      const wanted = AttachRequest.parse(body);
      await fake.behaviour.attachGate;
      if (fake.behaviour.refuseAttach) return refuse(fake.behaviour.refuseAttach);
      answer(response, 200, lease(wanted));
    } else if (route === 'POST /v1/agent/detach') {
      const gone = DetachRequest.parse(body);
      if (fake.behaviour.refuseDetach) return refuse(fake.behaviour.refuseDetach);
      attachments.delete(`${gone.containerId}/${gone.ifname}`);
      answer(response, 200, {});
    } else if (route === 'POST /v1/agent/realized') {
      const { portKey } = RealizedRequest.parse(body);
      await wait(fake.behaviour.realizedDelayMs);
      if (fake.behaviour.refuseRealized) return refuse(fake.behaviour.refuseRealized);
      answer(response, 200, { portKey, realized: true, waitedMs: fake.behaviour.realizedDelayMs });
    } else answer(response, 404, { code: 'not_found', message: route });
  }

  function pollOrTimeout(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        pollers.delete(wake);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(wake, waitMs);
      pollers.add(wake);
    });
  }

  function lease(wanted: AttachRequest): Attachment {
    const key = `${wanted.containerId}/${wanted.ifname}`;
    const known = attachments.get(key);
    if (known !== undefined) return known;
    // As the controller does: a pod has one attachment, the newest.
    for (const [other, held] of attachments)
      if (held.namespace === wanted.namespace && held.pod === wanted.pod) attachments.delete(other);
    const n = ++next;
    const { node, containerId, ifname, namespace, pod } = wanted;
    const made = fake.behaviour.lease({
      ...{ node, containerId, ifname, namespace, pod },
      portKey: 1000 + n,
      ofport: 255 + n,
      mac: `0a:58:0a:f4:${Math.floor(n / 256)
        .toString(16)
        .padStart(2, '0')}:${(n % 256).toString(16).padStart(2, '0')}`,
      ips: [`10.244.${Math.floor(n / 200)}.${(n % 200) + 2}`, `fd00:10:244::${(n + 16).toString(16)}`],
      mtu: fake.config.podMtu,
    });
    attachments.set(key, made);
    return made;
  }

  await fake.up();
  return fake;
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return parts.length === 0 ? undefined : JSON.parse(Buffer.concat(parts).toString('utf8'));
}
