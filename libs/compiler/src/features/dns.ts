import { type Context, type Entry, index, memo, type Root, root } from '../engine/steps.js';
import { familyOf, type Ip, type NodeName } from '../model/brands.js';
import { DNS_SERVICE } from '../model/facts.js';
import { later } from '../model/fragment.js';
import { matchPort, matchSource, prefixOf } from '../pipeline/address.js';
import { IPPROTO, SOURCE_KIND } from '../pipeline/constants.js';
import { act, because, makeFlow } from '../pipeline/flow.js';
import { METERS } from '../pipeline/meters.js';
import { matchRegisters } from '../pipeline/registers.js';
import { compareText, sorted } from '../policy/canonical.js';
import { clusterPolicyKey, type PolicyShape } from '../policy/shape.js';
import { configOf, type Env, hasFamily, originOf } from './env.js';
import { nodesOfIdentity } from './identities.js';
import { EVERY_POD, type Policies } from './policy.js';
import { FIXED_PRIORITY } from './policy-order.js';
import { policyRef } from './rule-flows.js';

/** Cluster policies that ask for names, by the number of an identity that they are for, or under EVERYBODY. */
const namesFor = index('namesFor', 4);
const EVERYBODY = 'everybody';

const DNS_PORT = 53;
/** Below what tells of denied packets for other reasons, and what cuts connections. */
const DENIED_PRIORITY = 50;
/** SYN without ACK. */
const SYN_ALONE = [0x002, 0x012] as const;
/** A copy to the controller; Open vSwitch sends the whole packet. */
const tell = { kind: 'controller' } as const;
/**
 * Every segment from the first, SYN, on: where a message begins is known only to who has counted from there, and no field says
 * whether a segment carries data. Metered, since a pod makes a server acknowledge as much as it likes to send.
 */
const tellSegment = { kind: 'controller', meterId: METERS.dnsStream.id } as const;

const asksForNames = ({ rules }: PolicyShape): boolean =>
  rules.some(({ peers }) => peers?.some((p) => p.kind === 'domains'));

/**
 * Answers of trusted name servers to pods whose policies ask for names: the controller gets a copy, and learns from it which
 * addresses the names have. The answer itself goes on at once, so that nobody waits for a controller that is away; a pod's
 * attempt to connect that is denied is told of as well, since the controller may know by then that it is too early only.
 */
export function dnsFeature(env: Env, policies: Policies): readonly Root[] {
  const servers = memo<readonly Ip[]>('dnsServers', (_, cx) => {
    const config = configOf(cx);
    if (config === undefined) return [];
    const trusted = config.dnsServers ?? addressesOfService(cx);
    return [...new Set(trusted)].sort(compareText).filter((a) => hasFamily(config, familyOf(a)));
  });

  return [
    root('namesFor', 4, 'clusterPolicy', (name, cx) => {
      const key = clusterPolicyKey(name);
      const policy = cx.read(policies.shape, key);
      if (policy === undefined || !asksForNames(policy)) return undefined;
      if (policy.subjects === EVERY_POD) return { entries: [[namesFor, EVERYBODY, name]] };
      const entries = cx.read(policies.subjects, key).map((i): Entry => [namesFor, i.text, name]);
      return { entries };
    }),
    root('dns', 5, namesFor, (who, cx) => {
      const names = sorted(cx.members(namesFor, who));
      const trusted = cx.read(servers, '');
      if (trusted.length === 0) return undefined;
      const subjects =
        who === EVERYBODY
          ? names.flatMap((n) => cx.read(policies.subjects, clusterPolicyKey(n)).map((i) => i.text))
          : [who];
      const nodes = sorted(new Set(subjects.flatMap((s) => [...cx.members(nodesOfIdentity, s)]))) as NodeName[];
      const receiver = who === EVERYBODY ? {} : { destinationIdentity: Number(who) };
      const sender = who === EVERYBODY ? {} : { sourceIdentity: Number(who) };
      const families = configOf(cx)?.families ?? [];
      const part = later(() => {
        const owners = names.map((n) => policyRef(clusterPolicyKey(n)));
        const why = 'Policies ask for addresses of names: the controller reads the answers of name servers.';
        const from = originOf(env, 'dns', `dns/${who}`, owners, why);
        const tooEarly = because(
          from,
          'A connection may come before its switch knows the address: it is tried again then.',
        );
        const answers = trusted.flatMap((server) =>
          [
            { port: { nw_proto: IPPROTO.udp, udp_src: DNS_PORT }, copy: tell },
            { port: { nw_proto: IPPROTO.tcp, tcp_src: DNS_PORT }, copy: tellSegment },
          ].map(({ port, copy }) =>
            makeFlow(
              'IngressAdmin',
              FIXED_PRIORITY.observed,
              { ...matchSource(prefixOf(server)), ...port, ...matchRegisters({ established: 1, ...receiver }) },
              act([copy], 'EgressNat'),
              from,
            ),
          ),
        );
        const attempts = families.map((family) =>
          makeFlow(
            'Denied',
            DENIED_PRIORITY,
            {
              ...matchPort(family, 'TCP'),
              tcp_flags: SYN_ALONE,
              ...matchRegisters({ sourceKind: SOURCE_KIND.pod, ...sender }),
            },
            act([tell]),
            tooEarly,
          ),
        );
        return { flows: [...answers, ...attempts] };
      });
      return { fragment: [{ part, placement: { kind: 'nodes', nodes } }] };
    }),
  ];
}

/** The cluster's own name service: pods see the service's address as the source, or an endpoint's if they ask that one. */
function addressesOfService(cx: Context): readonly Ip[] {
  const service = cx.fact('service', DNS_SERVICE);
  const endpoints = cx.fact('endpoints', DNS_SERVICE);
  return [
    ...(service?.clusterIps ?? []),
    ...(endpoints?.ports ?? []).flatMap((p) => p.endpoints.map((e) => e.ip)),
    // They still answer what they were asked before.
    ...(endpoints?.draining ?? []),
  ];
}
