import { ip } from '@heddle/compiler';
import { describe, expect, it } from 'vitest';
import type { SourceService } from '../source/model.js';
import { claimOf, endpointsOfPods, endpointsOfSlices, wantedFamilies } from './services.js';

const SERVICE: SourceService = {
  namespace: 'x',
  name: 's',
  type: 'ClusterIP',
  selector: { app: 's' },
  ports: [{ name: '', protocol: 'TCP', port: 80, targetPort: 80 }],
  headless: false,
  clusterIps: [],
  families: [],
  familyPolicy: undefined,
};

describe('the families of a service', () => {
  it.each<[name: string, change: Partial<SourceService>, available: (4 | 6)[], families: number[], problem: RegExp]>([
    ['all of a dual-stack cluster when it says nothing', {}, [4, 6], [4, 6], /^$/],
    ['the one of a single-stack cluster', {}, [6], [6], /^$/],
    ["in the cluster's order", {}, [6, 4], [6, 4], /^$/],
    ['the one that it names', { families: [6] }, [4, 6], [6], /^$/],
    ['the one of its address', { clusterIps: [ip('fd00::1')] }, [4, 6], [6], /^$/],
    [
      "both, its address's first",
      { clusterIps: [ip('fd00::1')], familyPolicy: 'PreferDualStack' },
      [4, 6],
      [6, 4],
      /^$/,
    ],
    ['the first with SingleStack', { familyPolicy: 'SingleStack' }, [4, 6], [4], /^$/],
    ['the named one with SingleStack', { families: [6], familyPolicy: 'SingleStack' }, [4, 6], [6], /^$/],
    ['what there is with PreferDualStack', { familyPolicy: 'PreferDualStack' }, [4], [4], /^$/],
    ['too few with RequireDualStack', { familyPolicy: 'RequireDualStack' }, [4], [4], /one family only/],
    ['none that the cluster has', { families: [6] }, [4], [], /IPv6 is asked for/],
  ])('are %s', (_, change, available, families, problem) => {
    const wanted = wantedFamilies({ ...SERVICE, ...change }, available);
    expect(wanted.families).toEqual(families);
    expect(wanted.problem ?? '').toMatch(problem);
  });

  it('are claimed with the addresses that it names, and not at all by a headless one', () => {
    const fixed = [ip('10.96.0.9')];
    expect(claimOf({ ...SERVICE, clusterIps: fixed }, [4])).toEqual({ key: 'x/s', families: [4], fixed });
    expect(claimOf({ ...SERVICE, headless: true }, [4])).toBeUndefined();
  });
});

describe('the endpoints of a service', () => {
  const a = {
    ips: [ip('10.0.0.2'), ip('fd00::2')],
    namedPorts: [{ name: 'http', protocol: 'TCP' as const, port: 8080 }],
  };
  const b = { ips: [ip('10.0.0.1')], namedPorts: [{ name: 'http', protocol: 'TCP' as const, port: 9090 }] };
  const none = { ips: [ip('10.0.0.3')], namedPorts: [{ name: 'http', protocol: 'UDP' as const, port: 1 }] };
  const away = { ips: [], namedPorts: a.namedPorts };

  it.each<[name: string, target: number | string, families: (4 | 6)[], expected: string[]]>([
    [
      'with a number, sorted, without double ones',
      80,
      [4, 6],
      ['10.0.0.1 80', '10.0.0.2 80', '10.0.0.3 80', 'fd00::2 80'],
    ],
    ["with a name, each pod's own number of the protocol", 'http', [4], ['10.0.0.1 9090', '10.0.0.2 8080']],
    ["of the service's families only", 'http', [6], ['fd00::2 8080']],
    ['with a name that no pod has', 'grpc', [4, 6], []],
  ])('are its attached pods %s', (_, targetPort, families, expected) => {
    const service = { ...SERVICE, ports: [{ name: 'p', protocol: 'TCP' as const, port: 80, targetPort }] };
    const { ports } = endpointsOfPods(service, families, [a, b, none, away, a]);
    expect(ports.map((p) => [p.name, p.endpoints.map((e) => `${e.ip} ${e.port}`)])).toEqual([['p', expected]]);
  });

  it('are those of its slices, by the name and protocol of the port', () => {
    const ports = [
      { name: 'a', protocol: 'TCP' as const, port: 80, targetPort: 80 },
      { name: 'b', protocol: 'UDP' as const, port: 53, targetPort: 53 },
    ];
    const slice = (name: string, protocol: 'TCP' | 'UDP', port: number, address: string) => ({
      namespace: 'x',
      name: 's1',
      service: 's',
      ports: [{ name, protocol, port }],
      addresses: [ip(address)],
    });
    const slices = [
      slice('a', 'TCP', 8080, '192.0.2.1'),
      slice('b', 'UDP', 5353, '192.0.2.2'),
      slice('a', 'UDP', 1, '192.0.2.3'),
    ];
    expect(endpointsOfSlices({ ...SERVICE, selector: undefined, ports }, [4], slices).ports).toEqual([
      { name: 'a', endpoints: [{ ip: '192.0.2.1', port: 8080 }] },
      { name: 'b', endpoints: [{ ip: '192.0.2.2', port: 5353 }] },
    ]);
  });

  it.each<
    [
      name: string,
      slices: [ready: string[], draining: string[], lastResort: string[]][],
      to: string[],
      draining: string[],
    ]
  >([
    ['ready ones go before all', [[['192.0.2.1'], ['192.0.2.2'], ['192.0.2.2']]], ['192.0.2.1'], ['192.0.2.2']],
    [
      'those that terminate and serve are better than nothing',
      [[[], ['192.0.2.2', '192.0.2.3'], ['192.0.2.2']]],
      ['192.0.2.2'],
      ['192.0.2.3'],
    ],
    ['nothing is left when none serves', [[[], ['192.0.2.2'], []]], [], ['192.0.2.2']],
    [
      'one that is ready in another slice is not draining',
      [
        [['192.0.2.1'], [], []],
        [[], ['192.0.2.1'], []],
      ],
      ['192.0.2.1'],
      [],
    ],
    ['an address of another family is of no use', [[['192.0.2.1'], ['fd00::1'], []]], ['192.0.2.1'], []],
  ])('of its slices: %s', (_, slices, to, draining) => {
    const fact = endpointsOfSlices(
      { ...SERVICE, selector: undefined },
      [4],
      slices.map(([ready, rest, lastResort], i) => ({
        namespace: 'x',
        name: `s${i}`,
        service: 's',
        ports: [{ name: '', protocol: 'TCP', port: 80 }],
        addresses: ready.map(ip),
        draining: rest.map(ip),
        lastResort: lastResort.map(ip),
      })),
    );
    expect(fact.ports.flatMap((p) => p.endpoints.map((e) => e.ip))).toEqual(to);
    expect(fact.draining ?? []).toEqual(draining);
  });
});
