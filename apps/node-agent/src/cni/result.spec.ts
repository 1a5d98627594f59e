import { describe, expect, it } from 'vitest';
import { expectedInterface, formatResult, hasInterface } from './result.js';
import type { CniVersion } from './version.js';

const made = {
  hostInterface: 'hd0123456789abc',
  podInterface: 'eth0',
  netns: '/var/run/netns/p',
  mac: '0a:58:0a:f4:00:05',
  mtu: 1450,
  ips: ['10.244.0.5', 'fd00:10:244::5'],
  routerIps: ['169.254.1.1', 'fe80::1'],
};

describe('the result of ADD', () => {
  const routes = [
    { dst: '0.0.0.0/0', gw: '169.254.1.1' },
    { dst: '::/0', gw: 'fe80::1' },
  ];
  it.each<[CniVersion, object[], object[]]>([
    // version, interfaces, ips
    [
      '0.3.1',
      [{ name: 'hd0123456789abc' }, { name: 'eth0', mac: '0a:58:0a:f4:00:05', sandbox: '/var/run/netns/p' }],
      [
        { version: '4', address: '10.244.0.5/32', gateway: '169.254.1.1', interface: 1 },
        { version: '6', address: 'fd00:10:244::5/128', gateway: 'fe80::1', interface: 1 },
      ],
    ],
    [
      '0.4.0',
      [{ name: 'hd0123456789abc' }, { name: 'eth0', mac: '0a:58:0a:f4:00:05', sandbox: '/var/run/netns/p' }],
      [
        { version: '4', address: '10.244.0.5/32', gateway: '169.254.1.1', interface: 1 },
        { version: '6', address: 'fd00:10:244::5/128', gateway: 'fe80::1', interface: 1 },
      ],
    ],
    [
      '1.0.0',
      [{ name: 'hd0123456789abc' }, { name: 'eth0', mac: '0a:58:0a:f4:00:05', sandbox: '/var/run/netns/p' }],
      [
        { address: '10.244.0.5/32', gateway: '169.254.1.1', interface: 1 },
        { address: 'fd00:10:244::5/128', gateway: 'fe80::1', interface: 1 },
      ],
    ],
    [
      '1.1.0',
      [
        { name: 'hd0123456789abc', mtu: 1450 },
        { name: 'eth0', mac: '0a:58:0a:f4:00:05', sandbox: '/var/run/netns/p', mtu: 1450 },
      ],
      [
        { address: '10.244.0.5/32', gateway: '169.254.1.1', interface: 1 },
        { address: 'fd00:10:244::5/128', gateway: 'fe80::1', interface: 1 },
      ],
    ],
  ])('in version %s', (cniVersion, interfaces, ips) => {
    expect(JSON.parse(formatResult(cniVersion, made, {}))).toEqual({ cniVersion, interfaces, ips, routes, dns: {} });
  });

  it('has no IPv6 route for a pod with IPv4 only', () => {
    const result = JSON.parse(formatResult('1.0.0', { ...made, ips: ['10.244.0.5'] }, {}));
    expect(result.routes).toEqual([{ dst: '0.0.0.0/0', gw: '169.254.1.1' }]);
  });

  it('keeps what the plugins before it made, and counts its interfaces after theirs', () => {
    const prevResult = {
      cniVersion: '1.0.0',
      interfaces: [{ name: 'net1', mac: '02:00:00:00:00:01', sandbox: '/var/run/netns/p' }],
      ips: [{ address: '192.0.2.5/24', interface: 0 }],
      routes: [{ dst: '192.0.2.0/24' }],
      dns: { nameservers: ['192.0.2.53'] },
      'example.com/extension': { kept: true },
    };
    expect(JSON.parse(formatResult('1.0.0', { ...made, ips: ['10.244.0.5'] }, { domain: 'x' }, prevResult))).toEqual({
      cniVersion: '1.0.0',
      interfaces: [
        { name: 'net1', mac: '02:00:00:00:00:01', sandbox: '/var/run/netns/p' },
        { name: 'hd0123456789abc' },
        { name: 'eth0', mac: '0a:58:0a:f4:00:05', sandbox: '/var/run/netns/p' },
      ],
      ips: [
        { address: '192.0.2.5/24', interface: 0 },
        { address: '10.244.0.5/32', gateway: '169.254.1.1', interface: 2 },
      ],
      routes: [{ dst: '192.0.2.0/24' }, { dst: '0.0.0.0/0', gw: '169.254.1.1' }],
      dns: { domain: 'x', nameservers: ['192.0.2.53'] },
      'example.com/extension': { kept: true },
    });
  });
});

describe('prevResult', () => {
  const prevResult = {
    interfaces: [{ name: 'hd1' }, { name: 'eth0', mac: '0A:58:0a:f4:00:05', sandbox: '/n' }],
    ips: [
      { address: '10.244.0.5/32', interface: 1 },
      { address: '192.0.2.1/24', interface: 0 },
    ],
  };
  it('tells what CHECK has to find', () => {
    expect(expectedInterface(prevResult, 'eth0', '/n')).toEqual({
      mac: '0a:58:0a:f4:00:05',
      addresses: ['10.244.0.5/32'],
    });
  });
  it('without our interface is a configuration error', () => {
    expect(() => expectedInterface(prevResult, 'eth1', '/n')).toThrow('prevResult has no interface eth1');
  });
  it('shows an interface that another plugin made', () => {
    expect([hasInterface(prevResult, 'eth0', '/n'), hasInterface(prevResult, 'eth0', '/m')]).toEqual([true, false]);
  });
});
