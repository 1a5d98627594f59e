import { index, type Memo, memo, type Root, root } from '../engine/steps.js';
import type { NodeName } from '../model/brands.js';
import { DEFAULT_VPC } from '../pipeline/constants.js';
import { compareText } from '../policy/canonical.js';

/** Port numbers that flows of many nodes name. Almost always the same on every node; where not, there is a variant for each. */
export interface PortPlan {
  readonly tunnel: number;
  readonly gateway: number;
  readonly nodes: readonly NodeName[];
}

const planNodes = index('planNodes', 0);
const plans = index('plans', 0);
const vpcs = index('vpcs', 0);

export interface Layout {
  readonly roots: readonly Root[];
  /** Under the key ''. */
  readonly portPlans: Memo<readonly PortPlan[]>;
  /** VPC numbers that something is in, under the key ''. */
  readonly vpcs: Memo<readonly number[]>;
}

export function layout(): Layout {
  const nodeLayout = root('nodeLayout', 0, 'node', (key, cx) => {
    const node = cx.fact('node', key);
    if (node === undefined) return undefined;
    const plan = `${node.tunnelOfport}/${node.gateway.ofport}`;
    return {
      entries: [
        [plans, '', plan],
        [planNodes, plan, node.name],
      ],
    };
  });
  const blockVpc = root('blockVpc', 0, 'block', (key, cx) => {
    const block = cx.fact('block', key);
    return block === undefined ? undefined : { entries: [[vpcs, '', String(block.vpc)]] };
  });
  const podVpc = root('podVpc', 0, 'attachment', (key, cx) => {
    const attachment = cx.fact('attachment', key);
    // Nearly all pods are in the default one, which is always there.
    if (attachment === undefined || attachment.vpc === DEFAULT_VPC) return undefined;
    return { entries: [[vpcs, '', String(attachment.vpc)]] };
  });
  return {
    roots: [nodeLayout, blockVpc, podVpc],
    portPlans: memo<readonly PortPlan[]>('portPlans', (_, cx) =>
      [...cx.members(plans, '')].sort(compareText).map((plan) => {
        const [tunnel = '', gateway = ''] = plan.split('/');
        const nodes = [...cx.members(planNodes, plan)].sort(compareText) as NodeName[];
        return { tunnel: Number(tunnel), gateway: Number(gateway), nodes };
      }),
    ),
    vpcs: memo<readonly number[]>('vpcs', (_, cx) =>
      [...new Set([...cx.members(vpcs, '')].map(Number)).add(DEFAULT_VPC)].sort((a, b) => a - b),
    ),
  };
}
