import { describe, expect, it } from 'vitest';
import { gatewayLines, staleGatewayLines } from './gateway.js';

const plan = {
  ips: ['10.244.0.1', 'fd00:10:244::1'],
  routerIps: ['169.254.1.1', 'fe80::1'],
  routerMac: '0a:58:00:00:00:01',
  cidrs: ['10.244.0.0/16', 'fd00:10:244::/56', '10.96.0.0/16'],
};

describe('heddle0', () => {
  it('gets addresses, next hops and routes', () => {
    expect(gatewayLines(plan)).toEqual([
      'link set dev heddle0 up',
      'addr replace 10.244.0.1/32 dev heddle0',
      'addr replace fd00:10:244::1/128 dev heddle0 nodad',
      'neigh replace 169.254.1.1 lladdr 0a:58:00:00:00:01 dev heddle0 nud permanent',
      'neigh replace fe80::1 lladdr 0a:58:00:00:00:01 dev heddle0 nud permanent',
      'route replace 10.244.0.0/16 via 169.254.1.1 dev heddle0 onlink src 10.244.0.1 proto 72',
      'route replace fd00:10:244::/56 via fe80::1 dev heddle0 onlink src fd00:10:244::1 proto 72',
      'route replace 10.96.0.0/16 via 169.254.1.1 dev heddle0 onlink src 10.244.0.1 proto 72',
    ]);
  });

  it('has no route of a family in which the node has no address', () => {
    const lines = gatewayLines({ ...plan, ips: ['10.244.0.1'], routerIps: ['169.254.1.1'] });
    expect(lines.filter((line) => line.startsWith('route'))).toEqual([
      'route replace 10.244.0.0/16 via 169.254.1.1 dev heddle0 onlink src 10.244.0.1 proto 72',
      'route replace 10.96.0.0/16 via 169.254.1.1 dev heddle0 onlink src 10.244.0.1 proto 72',
    ]);
  });

  it('loses old addresses and our old routes, and nothing of others', () => {
    const address = (ip: string, prefixLength: number, scope = 'global') => ({ ip, prefixLength, scope });
    const route = (destination: string, protocol: string) => ({
      destination,
      protocol,
      gateway: undefined,
      metric: undefined,
      source: undefined,
    });
    const link = {
      name: 'heddle0',
      mtu: 1450,
      mac: undefined,
      up: true,
      addresses: [
        address('10.244.0.1', 32),
        address('10.244.9.1', 32),
        address('fd00:10:244:9::1', 128),
        address('fe80::1234', 64, 'link'),
      ],
    };
    const routes = [
      route('10.244.0.0/16', '72'),
      route('10.250.0.0/16', '72'),
      route('10.251.0.7', '72'),
      route('10.252.0.0/16', 'static'),
    ];
    expect(staleGatewayLines(plan, link, routes)).toEqual([
      'route del 10.250.0.0/16 dev heddle0 proto 72',
      'route del 10.251.0.7 dev heddle0 proto 72',
      'addr del 10.244.9.1/32 dev heddle0',
      'addr del fd00:10:244:9::1/128 dev heddle0',
    ]);
  });
});
