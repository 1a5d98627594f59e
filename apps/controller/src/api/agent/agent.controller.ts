import {
  Attachment,
  AttachRequest,
  DetachRequest,
  NodeConfig,
  NodeRealizedAnswer,
  NodeRealizedRequest,
  RealizedAnswer,
  RealizedRequest,
  RegisterNode,
  ROUTES,
} from '@heddle/api';
import { Controller, Param } from '@nestjs/common';
import { z } from 'zod';
import { Refusals } from '../../core/refusals.js';
import { Refusal } from '../../errors.js';
import { Metrics } from '../../metrics/metrics.js';
import { Gone, Input, Operation } from '../http/operation.js';
import { AgentService } from './agent.service.js';

const ConfigQuery = z.object({
  after: z.coerce.number().int().min(0).optional(),
  policyEpoch: z.coerce.number().int().min(0).optional(),
  waitMs: z.coerce.number().int().min(0).max(300_000).default(0),
});
const Nothing = z.object({});

@Controller()
export class AgentController {
  constructor(
    private readonly agents: AgentService,
    private readonly metrics: Metrics,
    private readonly refusals: Refusals,
  ) {}

  @Operation({
    method: 'PUT',
    route: ROUTES.agentNode,
    permission: 'agent',
    node: 'path',
    summary: 'Announces a node; answers what its agent has to set up. Idempotent.',
    body: RegisterNode,
    answer: NodeConfig,
  })
  register(@Param('name') name: string, @Input('body') body: RegisterNode): Promise<NodeConfig> {
    return this.agents.register(name, body);
  }

  @Operation({
    method: 'GET',
    route: ROUTES.agentNodeConfig,
    permission: 'agent',
    node: 'path',
    summary:
      'Configuration of a node; with `after` and `waitMs` waits for a generation other than `after`, or a policy epoch other than `policyEpoch`.',
    query: ConfigQuery,
    answer: NodeConfig,
  })
  config(
    @Param('name') name: string,
    @Input('query') query: z.output<typeof ConfigQuery>,
    @Gone() gone: AbortSignal,
  ): Promise<NodeConfig> {
    return this.agents.config(name, query, gone);
  }

  @Operation({
    method: 'GET',
    route: ROUTES.agentAttachments,
    permission: 'agent',
    node: 'path',
    summary: 'Every recorded attachment of a node, for the clean-up of what is gone.',
    answer: z.array(Attachment),
  })
  attachments(@Param('name') name: string): Attachment[] {
    return this.agents.attachments(name);
  }

  @Operation({
    method: 'POST',
    route: ROUTES.agentAttach,
    permission: 'agent',
    node: 'body',
    summary: 'Gives a pod its port; recorded when answered. Idempotent for (containerId, ifname).',
    body: AttachRequest,
    answer: Attachment,
  })
  async attach(@Input('body') body: z.output<typeof AttachRequest>, @Gone() gone: AbortSignal): Promise<Attachment> {
    const observed = this.metrics.attachSeconds.startTimer();
    try {
      const attachment = await this.agents.attach(body, gone);
      observed({ result: 'ok' });
      return attachment;
    } catch (e) {
      observed({ result: e instanceof Refusal ? e.code : 'internal' });
      if (e instanceof Refusal) this.refusals.refused(body, e);
      throw e;
    }
  }

  @Operation({
    method: 'POST',
    route: ROUTES.agentDetach,
    permission: 'agent',
    node: 'body',
    summary: 'Takes a port back; succeeds when there is none.',
    body: DetachRequest,
    answer: Nothing,
  })
  async detach(@Input('body') body: DetachRequest): Promise<object> {
    await this.agents.detach(body);
    return {};
  }

  @Operation({
    method: 'POST',
    route: ROUTES.agentRealized,
    permission: 'agent',
    node: 'port',
    summary: 'Waits until the switch has acknowledged every flow of a port.',
    body: RealizedRequest,
    answer: RealizedAnswer,
  })
  realized(@Input('body') body: RealizedRequest, @Gone() gone: AbortSignal): Promise<RealizedAnswer> {
    return this.agents.realized(body.portKey, body.timeoutMs, gone);
  }

  @Operation({
    method: 'POST',
    route: ROUTES.agentNodeRealized,
    permission: 'agent',
    node: 'path',
    summary: "Waits until a node's switch has acknowledged everything up to the request.",
    body: NodeRealizedRequest,
    answer: NodeRealizedAnswer,
  })
  nodeRealized(
    @Param('name') name: string,
    @Input('body') { timeoutMs }: NodeRealizedRequest,
    @Gone() gone: AbortSignal,
  ): Promise<NodeRealizedAnswer> {
    return this.agents.nodeRealized(name, timeoutMs, gone);
  }
}
