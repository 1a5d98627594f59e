import type { NodeConfig } from '@heddle/api';
import { describe, expect, it } from 'vitest';
import { planSwitch, resolveTarget } from './plan.js';

describe("the controller's targets", () => {
  it.each([
    ['tcp:192.0.2.1:6653', undefined, 'tcp:192.0.2.1:6653'],
    ['tcp::6653', '172.31.99.254', 'tcp:172.31.99.254:6653'],
    ['ssl::6640', 'fd00::1', 'ssl:[fd00::1]:6640'],
    ['unix:/run/c.sock', undefined, 'unix:/run/c.sock'],
  ])('%s from %s', (target, host, resolved) => {
    expect(resolveTarget(target, host)).toBe(resolved);
  });
  it('without a host need a controller that has one', () => {
    expect(() => resolveTarget('tcp::6653', undefined)).toThrow(/reached by a unix socket/);
  });

  const config: NodeConfig = {
    ...{ generation: 1, node: 'node1', datapathId: '0000000000000101', encap: 'geneve', podMtu: 1450 },
    ...{
      clusterCidrs: [],
      serviceCidrs: [],
      routerMac: '0a:58:00:00:00:01',
      routerIps: [],
      tunnelOfport: 1,
      peers: [],
    },
    gateway: { mac: '0a:59:00:00:00:01', ips: [], ofport: 2 },
    openflowTargets: ['tcp:192.0.2.1:6653'],
    ovsdbTargets: ['ssl:192.0.2.1:6640'],
  };
  const input = { datapathType: 'netdev', controllerHost: undefined, underlay: undefined } as const;
  const tls = { key: '/k', cert: '/c', ca: '/a' };
  it.each<[name: string, ovsdbTargets: string[], planned: typeof tls | undefined]>([
    ['with TLS get the files', config.ovsdbTargets, tls],
    ['without TLS leave certificates alone', [], undefined],
  ])('%s', (_, ovsdbTargets, planned) => {
    expect(planSwitch({ ...input, config: { ...config, ovsdbTargets }, tls }).tls).toEqual(planned);
  });
  it('with TLS need the files', () => {
    expect(() => planSwitch({ ...input, config, tls: undefined })).toThrow(
      /dial ssl:192.0.2.1:6640, but this node has no certificate: set HEDDLE_TLS_KEY/,
    );
  });
});
