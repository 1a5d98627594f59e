import { describe, expect, it } from 'vitest';
import { configureLines, createLines, hostInterfaceName, isHostInterface } from './pod-link.js';

describe('the host interface name', () => {
  it.each([
    // sha256 of the text, by sha256sum
    ['c1', 'eth0', 'hdd72e032fedd94'],
    ['c1', 'eth1', 'hdbc0ebb0240445'],
  ])('of %s and %s', (containerId, ifname, name) => {
    expect(hostInterfaceName(containerId, ifname)).toBe(name);
    expect(isHostInterface(name)).toBe(true);
  });
  it.each(['hdd72e032fedd9', 'hdd72e032fedd9g', 'heddle0', 'eth0'])('%s is none of ours', (name) => {
    expect(isHostInterface(name)).toBe(false);
  });
});

describe('ip -batch lines', () => {
  it('make the pair', () => {
    expect(createLines({ hostInterface: 'hd1', podInterface: 'eth0', netns: '/run/netns/p', mtu: 1450 })).toEqual([
      'link add name hd1 up mtu 1450 type veth peer name eth0 mtu 1450 netns /run/netns/p',
    ]);
  });

  const pod = {
    podInterface: 'eth0',
    mac: '0a:58:0a:f4:00:05',
    mtu: 1450,
    routerIps: ['169.254.1.1', 'fe80::1'],
    routerMac: '0a:58:00:00:00:01',
  };
  it('configure a pod with both families', () => {
    expect(configureLines({ ...pod, ips: ['10.244.0.5', 'fd00:10:244::5'] })).toEqual([
      'link set dev lo up',
      'link set dev eth0 address 0a:58:0a:f4:00:05 mtu 1450 up',
      'addr add 10.244.0.5/32 dev eth0',
      'addr add fd00:10:244::5/128 dev eth0 nodad',
      'neigh replace 169.254.1.1 lladdr 0a:58:00:00:00:01 dev eth0 nud permanent',
      'route add 169.254.1.1 dev eth0 scope link',
      'route add default via 169.254.1.1 dev eth0',
      'neigh replace fe80::1 lladdr 0a:58:00:00:00:01 dev eth0 nud permanent',
      'route add default via fe80::1 dev eth0',
    ]);
  });
  it('configure a pod with IPv6 alone', () => {
    expect(configureLines({ ...pod, ips: ['fd00:10:244::5'] })).toEqual([
      'link set dev lo up',
      'link set dev eth0 address 0a:58:0a:f4:00:05 mtu 1450 up',
      'addr add fd00:10:244::5/128 dev eth0 nodad',
      'neigh replace fe80::1 lladdr 0a:58:00:00:00:01 dev eth0 nud permanent',
      'route add default via fe80::1 dev eth0',
    ]);
  });
});
