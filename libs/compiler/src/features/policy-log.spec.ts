import { describe, expect, it } from 'vitest';
import { createCompiler } from '../compiler.js';
import type { FactChange, NetworkPolicyFact, PolicyLogging } from '../model/facts.js';
import { parseCookie } from '../pipeline/cookie.js';
import { type TableName } from '../pipeline/tables.js';
import { flowsOf, ruleText } from '../testing/compile.js';
import { attach, cluster, countingIds, namespace, pod, policy } from '../testing/facts.js';

const SHOP = [
  ...cluster(),
  namespace('x'),
  pod('x/a', { app: 'a' }),
  attach('x/a', 1, 2),
  pod('x/b', { app: 'b' }),
  attach('x/b', 2, 2),
];
const from = (app: string) => ({ peers: [{ podSelector: { matchLabels: { app } } }], ports: [] });
const told = (
  name: string,
  logging: PolicyLogging,
  spec: Omit<NetworkPolicyFact, 'namespace' | 'name' | 'podSelector'>,
) => policy(`x/${name}`, { podSelector: { matchLabels: { app: 'a' } }, logging, ...spec });

function compile(...facts: readonly FactChange[]) {
  const ids = countingIds();
  const compiler = createCompiler(ids);
  compiler.apply([...SHOP, ...facts]);
  return { compiler, ids, number: (object: string) => ids.given.get(`object ${object}`) };
}
/** Flows that tell, as text without cookies; object numbers as their recorded texts. */
function telling({ compiler, ids }: ReturnType<typeof compile>, n: number, table: TableName): string[] {
  const flows = flowsOf(compiler, n, table);
  // Flows are made when they are asked for, and numbers with them.
  const names = new Map(
    [...ids.given].flatMap(([key, v]) => (key.startsWith('object ') ? [[v, key.slice(7)] as const] : [])),
  );
  return flows
    .map(ruleText)
    .filter((text) => text.includes('controller('))
    .map((text) =>
      text.replace(/reg(4|5|14)=0x([0-9a-f]+)/, (_, r, v) => `reg${r}=<${names.get(Number.parseInt(v, 16))}>`),
    )
    .sort();
}
const CUT = 'controller(meter_id=72),ct(commit,zone=NXM_NX_REG0[8..23],exec(set_field:0/0x1->ct_mark))';
const drops = (object: string) => [
  `priority=300,reg14=<${object}> actions=controller(meter_id=72)`,
  `priority=310,ip,reg0=0x1000000/0x1000000,reg14=<${object}> actions=${CUT}`,
  `priority=310,ipv6,reg0=0x1000000/0x1000000,reg14=<${object}> actions=${CUT}`,
];

describe('what policies want to be told of', () => {
  it.each<[logging: PolicyLogging, allowed: string[], denied: string[]]>([
    ['none', [], []],
    ['drops', [], drops('isolation/ingress/256')],
    [
      'all',
      [
        'priority=100,reg0=0/0x1000000,reg5=<policy/x/p/ingress/0> actions=controller(meter_id=72),goto_table:EndpointDNAT',
      ],
      drops('isolation/ingress/256'),
    ],
  ])('%s: flows of its subjects', (logging, allowed, denied) => {
    const all = compile(told('p', logging, { ingress: [from('b')] }));
    expect(telling(all, 1, 'PolicyLog')).toEqual(allowed);
    expect(telling(all, 1, 'Denied')).toEqual(denied);
    expect([...telling(all, 2, 'PolicyLog'), ...telling(all, 2, 'Denied')]).toEqual([]);
  });
  it('tells of isolation where one of the policies that isolate asks', () => {
    const one = compile(told('p', 'none', { ingress: [] }), told('q', 'drops', { ingress: [from('b')] }));
    expect(telling(one, 1, 'Denied')).toEqual(drops('isolation/ingress/256'));
    one.compiler.apply([told('q', 'none', { ingress: [from('b')] })]);
    expect(telling(one, 1, 'Denied')).toEqual([]);
  });
  it('tells of rules that are one flow on the switch as they allow the same', () => {
    const all = compile(
      told('p', 'all', { egress: [{ peers: [], ports: [] }] }),
      told('q', 'none', { egress: [{ peers: [], ports: [] }] }),
    );
    const [verdict] = flowsOf(all.compiler, 1, 'EgressPolicy').filter((f) => f.provenance.objects !== undefined);
    const shared = parseCookie(verdict?.cookie ?? 0n)?.objectId;
    expect(verdict?.provenance.objects).toEqual(
      [all.number('policy/x/p/egress/0'), all.number('policy/x/q/egress/0')].sort((a, b) => (a ?? 0) - (b ?? 0)),
    );
    const matched = flowsOf(all.compiler, 1, 'PolicyLog').map((f) => f.match.reg4);
    expect(matched).toContain(shared);
  });
  it('names the rule in the cookie, so that the controller can tell whose packet it is', () => {
    const all = compile(told('p', 'all', { ingress: [from('b')] }));
    const cookies = [...flowsOf(all.compiler, 1, 'PolicyLog'), ...flowsOf(all.compiler, 1, 'Denied')]
      .map((f) => parseCookie(f.cookie))
      .filter((c) => c?.feature === 'policyLog');
    expect(new Set(cookies.map((c) => c?.objectId))).toEqual(
      new Set([all.number('policy/x/p/ingress/0'), all.number('isolation/ingress/256')]),
    );
  });
  it.each<[action: 'Accept' | 'Deny' | 'Pass', allowed: number, denied: number]>([
    ['Accept', 1, 0],
    ['Deny', 0, 3],
    ['Pass', 0, 0],
  ])('of a cluster policy: rules that %s', (action, allowed, denied) => {
    const peers = [{ kind: 'pods', namespaceSelector: {}, podSelector: { matchLabels: { app: 'b' } } }] as const;
    const all = compile({
      kind: 'clusterPolicy',
      key: 'guard',
      value: {
        name: 'guard',
        tier: 'Admin',
        priority: 10,
        subject: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'a' } } },
        ingress: [{ name: 'r', action, peers, ports: [] }],
        egress: [],
        logging: 'all',
      },
    });
    expect([telling(all, 1, 'PolicyLog').length, telling(all, 1, 'Denied').length]).toEqual([allowed, denied]);
  });
});
