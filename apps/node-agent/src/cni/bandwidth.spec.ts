import { describe, expect, it } from 'vitest';
import { tbfArguments } from '../host/rate-limit.js';
import { parseBandwidth } from './bandwidth.js';

const bad = (what: string) => new RangeError(what);

describe('runtimeConfig.bandwidth', () => {
  const none = { ingress: undefined, egress: undefined };
  it.each<[string, unknown, unknown]>([
    ['none', undefined, undefined],
    ['null', null, undefined],
    ['rates of 0', { ingressRate: 0, ingressBurst: 0, egressRate: 0, egressBurst: 0 }, undefined],
    ['a burst alone', { ingressRate: 0, ingressBurst: 4294967295 }, undefined],
    ['one direction', { egressRate: 8e6 }, { ...none, egress: { rate: 8e6, burst: undefined } }],
    // What containerd makes of kubernetes.io/ingress-bandwidth: 10M.
    [
      'the largest burst',
      { ingressRate: 10_000_000, ingressBurst: 4294967295 },
      { ...none, ingress: { rate: 1e7, burst: undefined } },
    ],
    [
      'both, with bursts',
      { ingressRate: 1e6, ingressBurst: 2e6, egressRate: 3e6, egressBurst: 2 ** 31 - 2 },
      { ingress: { rate: 1e6, burst: 2e6 }, egress: { rate: 3e6, burst: 2 ** 31 - 2 } },
    ],
  ])('%s', (_name, value, expected) => {
    expect(parseBandwidth(value, bad)).toEqual(expected);
  });

  it.each([
    ['a list', [], /is not an object/],
    ['text', { ingressRate: '1M' }, /ingressRate="1M" is not a number of bits/],
    ['a fraction', { egressRate: 0.5 }, /egressRate=0.5/],
    ['a negative burst', { egressRate: 5, egressBurst: -1 }, /egressBurst=-1/],
  ])('refuses %s', (_name, value, sentence) => {
    expect(() => parseBandwidth(value, bad)).toThrow(sentence);
  });
});

describe('the token bucket', () => {
  const of = (rate: number, burst?: number) => tbfArguments('eth0', { rate, burst }).join(' ');
  it.each([
    // 100 ms at 80 Mbit/s are 1 MB
    ['a tenth of a second unless told', of(80e6), 'rate 80000000bit burst 1000000b'],
    ['as told', of(80e6, 800_000), 'rate 80000000bit burst 100000b'],
    ['some packets at least', of(8_000, 8), 'rate 8000bit burst 16384b'],
    // 60 s at 1 Mbit/s are 7.5 MB
    ['a minute at most', of(1e6, 1e9), 'rate 1000000bit burst 7500000b'],
  ])('has a burst of %s', (_name, text, expected) => {
    expect(text).toBe(`qdisc replace dev eth0 root tbf ${expected} latency 50ms`);
  });
});
