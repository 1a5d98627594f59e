import { PolicyCountersView, PolicyLogView, PolicyTotalView, ROUTES } from '@heddle/api';
import { clusterPolicyKey, factKey } from '@heddle/compiler';
import { Controller, Param } from '@nestjs/common';
import { z } from 'zod';
import { Watchers } from '../../core/watchers.js';
import { Refusal } from '../../errors.js';
import { PolicyCounters } from '../../policy-counters/policy-counters.js';
import { objectOfPolicy, PolicyLog, policyName } from '../../policy-log/policy-log.js';
import { Gone, Input, Operation } from '../http/operation.js';

const LogQuery = z.object({
  policy: z.string().max(600).optional(),
  pod: z.string().max(600).optional(),
  verdict: z.enum(['allowed', 'denied']).optional(),
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(2_000).default(200),
  waitMs: z.coerce.number().int().min(0).max(60_000).default(0),
});

/** What is known of policies at work. */
@Controller()
export class PoliciesController {
  constructor(
    private readonly counters: PolicyCounters,
    private readonly log: PolicyLog,
    private readonly watchers: Watchers,
  ) {}

  @Operation({
    method: 'GET',
    route: ROUTES.policyCounters,
    permission: 'read',
    summary: 'How often each rule of a network policy has decided, and what its isolation dropped.',
    answer: PolicyCountersView,
  })
  policyCounters(@Param('namespace') namespace: string, @Param('name') name: string): PolicyCountersView {
    return this.countersOf(factKey(namespace, name));
  }

  @Operation({
    method: 'GET',
    route: ROUTES.clusterPolicyCounters,
    permission: 'read',
    summary: 'How often each rule of a cluster policy has decided.',
    answer: PolicyCountersView,
  })
  clusterPolicyCounters(@Param('name') name: string): PolicyCountersView {
    return this.countersOf(clusterPolicyKey(name));
  }

  @Operation({
    method: 'GET',
    route: ROUTES.policyTotals,
    permission: 'read',
    summary: 'Packets that each policy has allowed and denied, of the policies that have decided anything.',
    answer: z.array(PolicyTotalView),
  })
  policyTotals(): PolicyTotalView[] {
    return [...this.counters.all().values()].map(({ policy, ...total }) => ({ ...objectOfPolicy(policy), ...total }));
  }

  @Operation({
    method: 'GET',
    route: ROUTES.policyLog,
    permission: 'read',
    summary:
      'Newest decisions of policies that ask to be told (annotation heddle.dev/log), oldest first; `after=SEQ` and `waitMs` follow them.',
    query: LogQuery,
    answer: PolicyLogView,
  })
  async policyLog(
    @Input('query') { limit, waitMs, ...filter }: z.output<typeof LogQuery>,
    @Gone() gone: AbortSignal,
  ): Promise<PolicyLogView> {
    const found = () => this.log.events(filter, limit);
    await this.watchers.until(() => found().length > 0, waitMs, gone);
    return { newest: this.log.newest, events: found().map((e) => ({ ...e, policies: [...e.policies] })) };
  }

  /** @throws Refusal not_found */
  private countersOf(policy: string): PolicyCountersView {
    const rules = this.counters.of(policy);
    if (rules === undefined) throw new Refusal('not_found', `there is no policy ${policyName(policy)}`);
    return {
      ...objectOfPolicy(policy),
      rules: rules.map((r) => ({ ...r, since: r.since === null ? null : new Date(r.since).toISOString() })),
    };
  }
}
