import { z } from 'zod';

/** What switches tell of policies at work. */

/** GET policyCounters, clusterPolicyCounters: how often the rules of a policy have decided. */
export const PolicyCountersView = z.object({
  /** NetworkPolicy, ClusterNetworkPolicy, AdminNetworkPolicy or BaselineAdminNetworkPolicy. */
  kind: z.string(),
  /** Empty for policies that are part of no namespace. */
  namespace: z.string(),
  name: z.string(),
  rules: z.array(
    z.object({
      direction: z.enum(['ingress', 'egress']),
      /** Place in the policy's list, from 0; null: what no rule allowed, of pods that the policy isolates. */
      rule: z.number().int().nullable(),
      /** As the policy calls the rule; often empty. */
      name: z.string(),
      verdict: z.enum(['allowed', 'denied', 'passed']),
      /** What people should know of the rule; null: nothing. */
      note: z.string().nullable(),
      packets: z.number().int(),
      bytes: z.number().int(),
      /** When counting began (ISO 8601); null: nothing has been counted yet. */
      since: z.string().nullable(),
    }),
  ),
});
export type PolicyCountersView = z.infer<typeof PolicyCountersView>;

/** One entry of GET policyTotals: packets by what came of them. */
export const PolicyTotalView = z.object({
  kind: z.string(),
  /** Empty for policies that are part of no namespace. */
  namespace: z.string(),
  name: z.string(),
  allowed: z.number().int(),
  denied: z.number().int(),
});
export type PolicyTotalView = z.infer<typeof PolicyTotalView>;

/** Equal verdicts of a few seconds, told of for policies that ask for it. */
export const VerdictView = z.object({
  /** Rises by one from event to event, from 1 at each start of the controller. */
  seq: z.number().int(),
  /** When the first of them came, ISO 8601. */
  time: z.string(),
  verdict: z.enum(['allowed', 'denied']),
  direction: z.enum(['ingress', 'egress']),
  node: z.string(),
  /** NAMESPACE/POD, `node NAME` or an address. */
  from: z.string(),
  to: z.string(),
  protocol: z.string(),
  port: z.number().int().nullable(),
  /** NAMESPACE/NAME; NAME, anp/NAME or banp/NAME of policies that are part of no namespace. */
  policies: z.array(z.string()),
  /** Place of the rule in its list; null: no rule of these policies allowed it. */
  rule: z.number().int().nullable(),
  /** Denied packets, or first packets of allowed connections. */
  count: z.number().int(),
});
export type VerdictView = z.infer<typeof VerdictView>;

/** GET policyLog `?policy=&pod=&verdict=&after=SEQ&limit=N&waitMs=N` */
export const PolicyLogView = z.object({
  /** Number of the newest event there is, whatever was asked for. */
  newest: z.number().int(),
  events: z.array(VerdictView),
});
export type PolicyLogView = z.infer<typeof PolicyLogView>;
