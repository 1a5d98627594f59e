import {
  FlowsView,
  NodeView,
  PodView,
  PolicyView,
  ProblemView,
  RemovedNodeView,
  ROUTES,
  ServiceView,
  StatusView,
} from '@heddle/api';
import { factKey } from '@heddle/compiler';
import { Controller, Param } from '@nestjs/common';
import { z } from 'zod';
import { Engine } from '../../core/engine.js';
import { Gone, Input, Operation } from '../http/operation.js';
import { FlowsService } from './flows.service.js';
import { ObjectsService } from './objects.service.js';
import { StatusService, StatusViews } from './status.service.js';

const WaitQuery = z.object({ waitMs: z.coerce.number().int().min(0).max(600_000).default(0) });
/** `?force` alone means yes. */
const ForceQuery = z.object({ force: z.enum(['', 'true', 'false']).default('false') });
const FlowsQuery = z.object({ table: z.string().optional(), object: z.string().optional() });

@Controller()
export class ClusterController {
  constructor(
    private readonly objects: ObjectsService,
    private readonly nodeStatus: StatusService,
    private readonly views: StatusViews,
    private readonly nodeFlows: FlowsService,
    private readonly engine: Engine,
  ) {}

  @Operation({
    method: 'GET',
    route: ROUTES.status,
    permission: 'read',
    summary: 'How far the cluster is; with `waitMs` waits until every change up to the request is acknowledged.',
    query: WaitQuery,
    answer: StatusView,
  })
  async status(@Input('query') { waitMs }: z.output<typeof WaitQuery>, @Gone() gone: AbortSignal): Promise<StatusView> {
    await this.nodeStatus.settled(waitMs, gone);
    return this.views.view();
  }

  @Operation({
    method: 'GET',
    route: ROUTES.nodes,
    permission: 'read',
    summary: 'Every registered node with the state of its switch.',
    answer: z.array(NodeView),
  })
  nodes(): NodeView[] {
    return this.nodeStatus.nodes();
  }

  @Operation({
    method: 'DELETE',
    route: ROUTES.node,
    permission: 'admin',
    summary:
      'Forgets a node and gives its blocks back; refused while pods are attached to it, unless `force` detaches them.',
    query: ForceQuery,
    answer: RemovedNodeView,
  })
  async removeNode(
    @Param('name') name: string,
    @Input('query') { force }: z.output<typeof ForceQuery>,
  ): Promise<RemovedNodeView> {
    const { removed, detached } = await this.engine.removeNode(name, force !== 'false');
    return {
      node: name,
      blocks: removed.blocks.map((b) => b.cidr),
      detached: detached.map(({ record }) => factKey(record.namespace, record.pod)),
    };
  }

  @Operation({
    method: 'GET',
    route: ROUTES.nodeFlows,
    permission: 'read',
    summary:
      'Flows and groups that a node should have, with their owners; `table=NAME` and `object=KIND/NS/NAME` narrow it.',
    query: FlowsQuery,
    answer: FlowsView,
  })
  flows(@Param('name') name: string, @Input('query') query: z.output<typeof FlowsQuery>): FlowsView {
    return this.nodeFlows.of(name, query);
  }

  @Operation({
    method: 'GET',
    route: ROUTES.pods,
    permission: 'read',
    summary: 'Every pod of the source with its attachment.',
    answer: z.array(PodView),
  })
  pods(): PodView[] {
    return this.objects.pods();
  }

  @Operation({
    method: 'GET',
    route: ROUTES.services,
    permission: 'read',
    summary: 'Every service with its addresses and endpoints.',
    answer: z.array(ServiceView),
  })
  services(): ServiceView[] {
    return this.objects.services();
  }

  @Operation({
    method: 'GET',
    route: ROUTES.policies,
    permission: 'read',
    summary: 'Every policy with the pods that it applies to, in the order in which they judge.',
    answer: z.array(PolicyView),
  })
  policies(): PolicyView[] {
    return this.objects.policies();
  }

  @Operation({
    method: 'GET',
    route: ROUTES.problems,
    permission: 'read',
    summary: 'What in the source cannot be used as written.',
    answer: z.array(ProblemView),
  })
  problems(): ProblemView[] {
    return this.views.problems();
  }
}
