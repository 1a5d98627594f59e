import {
  ApiError,
  PolicyCountersView,
  PolicyLogView,
  PolicyTotalView,
  PolicyView,
  path,
  ROUTES,
  type VerdictView,
} from '@heddle/api';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { connect } from './connection.js';
import { policiesText, policyCountersText, policyLogText } from './views.js';

/** How long the controller may wait for the next event, and how long to pause while it cannot be reached. */
const FOLLOW_MS = 20_000;
const PAUSE_MS = 1_000;

const write = (text: string): void => void process.stdout.write(`${text}\n`);

/** `heddle policies`: all of them, or what the rules of one have done. */
export function policiesCommand(): Command {
  return new Command('policies')
    .description('policies of every kind in the order of their tiers, or how often the rules of one have decided')
    .argument('[policy]', 'NAMESPACE/NAME; NAME, anp/NAME or banp/NAME of one that is part of no namespace')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'wide', 'json']).default('table'))
    .addHelpText(
      'after',
      `
They stand in the order in which they judge: the tier Admin (ClusterNetworkPolicy and AdminNetworkPolicy, the lowest priority
first), NetworkPolicy, which has no order, and Baseline (ClusterNetworkPolicy and BaselineAdminNetworkPolicy).

-o wide adds what is logged (annotation heddle.dev/log) and the packets that a policy has allowed and denied. Counted are
packets in the direction in which a connection was opened, by the rule that decided, as the switches were read last (every
10 s); counters go on over restarts, and belong to a rule's place in its policy, whatever the rule says by now.

Examples:
  heddle policies -o wide
  heddle policies shop-core/database
  heddle policies guard
  heddle policies banp/default`,
    )
    .action(async (policy: string | undefined, { output }: { output: 'table' | 'wide' | 'json' }) => {
      const api = connect();
      if (policy !== undefined) {
        const counters = await api.get(countersPath(policy), PolicyCountersView);
        write(output === 'json' ? JSON.stringify(counters, null, 2) : policyCountersText(counters));
        return;
      }
      const policies = await api.get(ROUTES.policies, z.array(PolicyView));
      const totals = output === 'wide' ? await api.get(ROUTES.policyTotals, z.array(PolicyTotalView)) : undefined;
      write(output === 'json' ? JSON.stringify(policies, null, 2) : policiesText(policies, totals));
    });
}

/** Where the counters of a policy are, by the name that a person gives. */
export function countersPath(policy: string): string {
  const [, namespace, name = ''] = /^(?!b?anp\/)([^/]+)\/([^/]+)$/.exec(policy) ?? [];
  return namespace === undefined
    ? path(ROUTES.clusterPolicyCounters, policy)
    : path(ROUTES.policyCounters, namespace, name);
}

function count(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1 || n > 2_000) throw new InvalidArgumentError('want a number from 1 to 2000');
  return n;
}

interface LogOptions {
  readonly policy?: string;
  readonly pod?: string;
  readonly verdict?: string;
  readonly limit: number;
  readonly follow: boolean;
  readonly output: 'table' | 'json';
}

/** `heddle policy-log`: what policies decided that ask for it. */
export function policyLogCommand(): Command {
  return new Command('policy-log')
    .description('what policies have denied and allowed lately, of policies that ask for it')
    .option('--policy <name>', 'only of this policy: NAMESPACE/NAME, or NAME of a cluster policy')
    .option('--pod <name>', 'only from or to this pod: NAMESPACE/NAME')
    .addOption(new Option('--verdict <verdict>', 'only these').choices(['allowed', 'denied']))
    .option('--limit <n>', 'at most so many, the newest', count, 200)
    .option('-f, --follow', 'go on with what comes', false)
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
A policy asks by the annotation heddle.dev/log: "drops" for what it denies, "all" also for connections that its rules allow.
Equal packets within 5 s are one line with their count. Where a node has more than 100 different ones in a second, the rest is
left out; the controller logs how many. With -o json every event is one line.

Examples:
  heddle policy-log --verdict denied
  heddle policy-log --follow --policy shop-core/default-deny`,
    )
    .action(async ({ follow, limit, output, ...filter }: LogOptions) => {
      const print = (events: readonly VerdictView[]) => {
        if (events.length > 0)
          write(output === 'json' ? events.map((e) => JSON.stringify(e)).join('\n') : policyLogText(events));
      };
      const api = connect();
      const first = await api.get(ROUTES.policyLog, PolicyLogView, { query: { ...filter, limit } });
      print(first.events);
      for (let after = first.newest; follow; ) {
        try {
          const query = { ...filter, after, limit: 2_000, waitMs: FOLLOW_MS };
          const { newest, events } = await api.get(ROUTES.policyLog, PolicyLogView, {
            query,
            timeoutMs: FOLLOW_MS + 10_000,
          });
          print(events);
          // A controller that starts anew counts anew.
          after = newest < after ? 0 : (events.at(-1)?.seq ?? after);
        } catch (e) {
          if (!(e instanceof ApiError) || e.code !== 'unavailable') throw e;
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        }
      }
    });
}
