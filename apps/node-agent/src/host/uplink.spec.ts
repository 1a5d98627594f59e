import { describe, expect, it } from 'vitest';
import { mergeUplinkState, moveLines, uplinkState } from './uplink.js';

const link = {
  name: 'eth0',
  mtu: 1500,
  mac: '02:aa:00:00:00:01',
  up: true,
  addresses: [
    { ip: '172.31.99.1', prefixLength: 24, scope: 'global' },
    { ip: 'fd00:31:99::1', prefixLength: 64, scope: 'global' },
    { ip: 'fe80::aa:ff:fe00:1', prefixLength: 64, scope: 'link' },
  ],
};
const route = (destination: string, protocol: string, gateway?: string) => ({
  destination,
  protocol,
  gateway,
  metric: gateway === undefined ? undefined : 100,
  source: undefined,
});

describe('moving the uplink into br-phy', () => {
  const state = uplinkState(link, [route('172.31.99.0/24', 'kernel'), route('default', 'dhcp', '172.31.99.254')]);

  const held = ['172.31.99.1', 'fd00:31:99::1'];

  it('notes global addresses and the routes that the kernel does not make by itself', () => {
    expect(state).toEqual({
      uplink: 'eth0',
      mac: '02:aa:00:00:00:01',
      addresses: [
        { ip: '172.31.99.1', prefixLength: 24 },
        { ip: 'fd00:31:99::1', prefixLength: 64 },
      ],
      routes: [{ destination: 'default', gateway: '172.31.99.254', metric: 100 }],
    });
  });

  it('gives the bridge the addresses before the uplink loses them', () => {
    expect(moveLines(state, link)).toEqual([
      'link set dev eth0 up',
      'addr replace 172.31.99.1/24 dev br-phy',
      'addr replace fd00:31:99::1/64 dev br-phy nodad',
      'link set dev br-phy up',
      'addr del 172.31.99.1/24 dev eth0',
      'addr del fd00:31:99::1/64 dev eth0',
      'addr del fe80::aa:ff:fe00:1/64 dev eth0',
      'route replace default via 172.31.99.254 dev br-phy metric 100',
    ]);
  });

  it('is the same lines without removals once it has happened', () => {
    expect(moveLines(state, { ...link, addresses: [] })).toEqual([
      'link set dev eth0 up',
      'addr replace 172.31.99.1/24 dev br-phy',
      'addr replace fd00:31:99::1/64 dev br-phy nodad',
      'link set dev br-phy up',
      'route replace default via 172.31.99.254 dev br-phy metric 100',
    ]);
  });

  it('keeps what moved before when the uplink gets another address', () => {
    const now = { ...state, addresses: [{ ip: '192.0.2.7', prefixLength: 25 }], routes: [] };
    expect(mergeUplinkState(state, now, held)).toEqual({
      uplink: 'eth0',
      mac: '02:aa:00:00:00:01',
      addresses: [
        { ip: '172.31.99.1', prefixLength: 24 },
        { ip: 'fd00:31:99::1', prefixLength: 64 },
        { ip: '192.0.2.7', prefixLength: 25 },
      ],
      routes: [{ destination: 'default', gateway: '172.31.99.254', metric: 100 }],
    });
  });

  it('takes what the uplink was given at a new start of the machine, instead of what it had before', () => {
    const now = {
      ...state,
      mac: '02:ff:00:00:00:01',
      addresses: [{ ip: '192.0.2.7', prefixLength: 25 }],
      routes: [{ destination: 'default', gateway: '192.0.2.1' }],
    };
    // Nothing is known of IPv6 now: what there was before stays.
    expect(mergeUplinkState(state, now, [])).toEqual({
      ...now,
      addresses: [
        { ip: 'fd00:31:99::1', prefixLength: 64 },
        { ip: '192.0.2.7', prefixLength: 25 },
      ],
    });
  });

  it('does not take an uplink without addresses for one that has none, whatever its MAC', () => {
    const now = { ...state, mac: '02:ff:00:00:00:01', addresses: [], routes: [] };
    expect(mergeUplinkState(state, now, [])).toEqual({ ...state, mac: '02:ff:00:00:00:01' });
    expect(mergeUplinkState(state, now, held)).toEqual({ ...state, mac: '02:ff:00:00:00:01' });
  });

  it('leaves an address on the uplink that was not noted', () => {
    const addresses = [...link.addresses, { ip: '192.0.2.7', prefixLength: 25, scope: 'global' }];
    expect(moveLines(state, { ...link, addresses }).filter((line) => line.includes('192.0.2.7'))).toEqual([]);
  });
});
