import {
  ApiClient,
  ApiError,
  type ApiTls,
  Attachment,
  type AttachRequest,
  NodeConfig,
  NodeRealizedAnswer,
  parseEndpoint,
  path,
  RealizedAnswer,
  type RegisterNode,
  ROUTES,
} from '@heddle/api';
import { z } from 'zod';

/** How much longer than the controller's own deadline we wait for its answer. */
const GRACE_MS = 5_000;

/** The controller's routes for agents, typed. Every failure is an ApiError. */
export class Controller {
  readonly #client: ApiClient;
  /** Undefined when it is reached by a unix socket. */
  readonly host: string | undefined;

  constructor(
    url: string,
    access: { readonly token: (() => string) | undefined; readonly tls: (() => ApiTls) | undefined },
    private readonly node: string,
  ) {
    const { token, tls } = access;
    this.#client = new ApiClient({ url, ...(token && { token }), ...(tls && { tls }) });
    const endpoint = parseEndpoint(url);
    this.host = endpoint.kind === 'unix' ? undefined : endpoint.host;
  }

  register(body: RegisterNode, signal: AbortSignal): Promise<NodeConfig> {
    return this.#client.put(path(ROUTES.agentNode, this.node), NodeConfig, { body, timeoutMs: 10_000, signal });
  }

  /**
   * Answers when the configuration's generation is another than `after`, or its policy epoch than the one given (undefined: any
   * will do), or after `waitMs` with what there is.
   */
  config(after: number, policyEpoch: number | undefined, waitMs: number, signal: AbortSignal): Promise<NodeConfig> {
    return this.#client.get(path(ROUTES.agentNodeConfig, this.node), NodeConfig, {
      query: { after, waitMs, ...(policyEpoch === undefined ? {} : { policyEpoch }) },
      timeoutMs: waitMs + GRACE_MS,
      signal,
    });
  }

  attachments(signal?: AbortSignal): Promise<Attachment[]> {
    return this.#client.get(path(ROUTES.agentAttachments, this.node), z.array(Attachment), {
      timeoutMs: 10_000,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  attach(request: Omit<AttachRequest, 'node'>): Promise<Attachment> {
    return this.#client.post(ROUTES.agentAttach, Attachment, {
      body: { node: this.node, ...request },
      timeoutMs: (request.waitMs ?? 2_000) + GRACE_MS,
    });
  }

  async detach(containerId: string, ifname: string): Promise<void> {
    const body = { node: this.node, containerId, ifname };
    await this.#client.text('POST', ROUTES.agentDetach, { body, timeoutMs: GRACE_MS });
  }

  /** Resolves when the node's switch has acknowledged everything up to now. */
  async nodeRealized(timeoutMs: number, signal: AbortSignal): Promise<void> {
    await this.#client.post(path(ROUTES.agentNodeRealized, this.node), NodeRealizedAnswer, {
      body: { timeoutMs },
      timeoutMs: timeoutMs + GRACE_MS,
      signal,
    });
  }

  /** Resolves when the switch has acknowledged every flow of the port. */
  async realized(portKey: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    await this.#client.post(ROUTES.agentRealized, RealizedAnswer, {
      body: { portKey, timeoutMs },
      timeoutMs: timeoutMs + GRACE_MS,
      signal,
    });
  }
}

/** Whether the controller answered that it does not know this node. */
export function isUnknownNode(error: unknown): boolean {
  return (
    error instanceof ApiError && (error.code === 'unknown_node' || (error.status === 404 && error.code === 'not_found'))
  );
}
