import fc from 'fast-check';
import { formatIpv4 } from 'openflow-ts/codec';
import { describe, expect, it } from 'vitest';
import { cidr } from '../model/brands.js';
import type { PodFact } from '../model/facts.js';
import { networkOf, prefixOf } from '../pipeline/address.js';
import { sortBy } from './canonical.js';
import { IdentityTable, identityKeyOf, isPerReplicaLabel, namespaceKeyOf } from './identity.js';
import { coversPort, portRange, resolveNames, rulePorts } from './ports.js';
import { contains, subtract } from './prefixes.js';
import {
  canonicalSelector,
  compileSelector,
  describeSelector,
  labelKeysOf,
  requiredLabel,
  selectorKeys,
  unmetRequirement,
} from './selector.js';

describe('subtract', () => {
  const text = (range: string, ...excepts: string[]) =>
    subtract(cidr(range), excepts.map(cidr)).map((p) => `${formatIpv4(Number(p.value))}/${p.length}`);
  it.each([
    ['nothing excepted', ['10.0.0.0/8'], ['10.0.0.0/8']],
    ['the lower half', ['10.0.0.0/8', '10.0.0.0/9'], ['10.128.0.0/9']],
    ['a quarter in the middle', ['10.0.0.0/8', '10.64.0.0/10'], ['10.0.0.0/10', '10.128.0.0/9']],
    ['two holes that meet', ['10.0.0.0/30', '10.0.0.0/32', '10.0.0.1/32'], ['10.0.0.2/31']],
    ['everything', ['10.0.0.0/8', '10.0.0.0/8'], []],
    ['more than everything', ['10.1.0.0/16', '10.0.0.0/8'], []],
    ['somewhere else', ['10.0.0.0/8', '192.168.0.0/16'], ['10.0.0.0/8']],
    ['another family', ['10.0.0.0/8', 'fd00::/8'], ['10.0.0.0/8']],
  ] as const)('%s', (_, [range, ...excepts], expected) => {
    expect(text(range, ...excepts)).toEqual(expected);
  });
  it('covers exactly the addresses that are in the range and in no exception', () => {
    const range = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 8 }));
    fc.assert(
      fc.property(range, fc.array(range, { maxLength: 5 }), ([value, length], excepts) => {
        const of = ([v, l]: readonly [number, number]) => cidr(`10.0.0.${v}/${24 + l}`);
        const got = subtract(of([value, length]), excepts.map(of));
        for (let last = 0; last < 256; last++) {
          const one = prefixOf(cidr(`10.0.0.${last}/32`));
          const wanted =
            contains(prefixOf(of([value, length])), one) && !excepts.some((e) => contains(prefixOf(of(e)), one));
          expect(got.filter((p) => contains(p, one)).length).toBe(wanted ? 1 : 0);
        }
      }),
      { numRuns: 100, seed: 1 },
    );
  });
  it('does IPv6 down to one address', () => {
    expect(subtract(cidr('fd00::/126'), [cidr('fd00::1/128')]).map((p) => p.length)).toEqual([128, 127]);
  });
});

describe('networkOf', () => {
  it.each([
    ['10.244.7.200/32', 26, '10.244.7.192/26'],
    ['10.244.7.200/32', 0, '0.0.0.0/0'],
    ['10.244.7.200/32', 32, '10.244.7.200/32'],
    ['fd00:10:244:1::7f/128', 122, 'fd00:10:244:1::40/122'],
    ['fd00:10:244:1::7f/128', 0, '::/0'],
  ])('%s of length %i is %s', (address, length, expected) => {
    expect(networkOf(prefixOf(cidr(address)), length)).toBe(expected);
  });
});

describe('sortBy', () => {
  it('sorts as arrays do, equal ones as they came, whether there are few or many', () => {
    const element = fc.record({ text: fc.constantFrom('a', 'b', 'B', 'ä', ''), place: fc.nat() });
    fc.assert(
      fc.property(fc.array(element, { maxLength: 30 }), (list) => {
        const expected = [...list].sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
        expect(sortBy([...list], (e) => e.text)).toEqual(expected);
      }),
    );
  });
});

describe('ports', () => {
  it.each([
    [80, 80, [[80, 0xffff]]],
    [0, 65535, [[0, 0]]],
    [1000, 1003, [[1000, 0xfffc]]],
    [
      1,
      4,
      [
        [1, 0xffff],
        [2, 0xfffe],
        [4, 0xffff],
      ],
    ],
    [32768, 65535, [[32768, 0x8000]]],
  ])('%d to %d', (first, last, expected) => {
    expect(portRange(first, last)).toEqual(expected);
  });
  it('covers a range exactly, each port once', () => {
    const port = fc.integer({ min: 0, max: 65535 });
    fc.assert(
      fc.property(port, port, (a, b) => {
        const [first, last] = [Math.min(a, b), Math.max(a, b)];
        const got = portRange(first, last);
        for (const p of [0, first - 1, first, (first + last) >> 1, last, last + 1, 65535])
          if (p >= 0 && p <= 65535)
            expect(got.filter(([v, m]) => (p & m) === v).length).toBe(p >= first && p <= last ? 1 : 0);
        expect(got.length).toBeLessThanOrEqual(30);
      }),
      { seed: 2 },
    );
  });
  it('refuses ranges that are none', () => {
    expect(() => portRange(5, 4)).toThrow(RangeError);
    expect(() => portRange(0, 65536)).toThrow(RangeError);
  });
  it('keeps names apart from numbers, and nothing of what cannot be', () => {
    expect(rulePorts([])).toEqual({ fixed: undefined, named: [] });
    expect(
      rulePorts([{ protocol: 'UDP' }, { protocol: 'TCP', port: 'http' }, { protocol: 'TCP', port: 9, endPort: 8 }]),
    ).toEqual({
      fixed: [{ protocol: 'UDP' }],
      named: [{ name: 'http', protocol: 'TCP' }],
    });
  });
  it('resolves a name by name and protocol', () => {
    const ports = [
      { name: 'dns', protocol: 'UDP', port: 53 },
      { name: 'dns', protocol: 'TCP', port: 5353 },
    ] as const;
    expect(resolveNames([{ name: 'dns', protocol: 'TCP' }], ports)).toEqual([
      { protocol: 'TCP', port: [5353, 0xffff] },
    ]);
    expect(resolveNames([{ name: 'dns', protocol: 'SCTP' }], ports)).toEqual([]);
  });
  it('tells whether a packet is covered', () => {
    expect(coversPort(undefined, 'ICMP', undefined)).toBe(true);
    expect(coversPort([{ protocol: 'TCP' }], 'TCP', 1)).toBe(true);
    expect(coversPort([{ protocol: 'TCP', port: [80, 0xffff] }], 'TCP', 81)).toBe(false);
    expect(coversPort([{ protocol: 'TCP', port: [80, 0xffff] }], 'UDP', 80)).toBe(false);
  });
});

describe('selectors', () => {
  it.each([
    [{}, []],
    [{ matchLabels: { app: 'web', tier: undefined as never } }, ['app']],
    [{ matchLabels: { app: 'web' }, matchExpressions: [{ key: 'env', operator: 'Exists' as const }] }, ['app', 'env']],
  ])('of %o look at labels %o', (selector, keys) => {
    expect(labelKeysOf(selector)).toEqual(keys);
    // Where policies and selectors must agree on what is looked at.
    expect([...selectorKeys(canonicalSelector(selector))].sort()).toEqual(keys);
  });

  const expression = (key: string, operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', ...values: string[]) =>
    canonicalSelector({ matchExpressions: [{ key, operator, values }] });
  it('are equal texts if they say the same', () => {
    expect(canonicalSelector({ matchLabels: { b: '2', a: '1' } })).toBe(
      canonicalSelector({
        matchLabels: { a: '1' },
        matchExpressions: [{ key: 'b', operator: 'In', values: ['2', '2'] }],
      }),
    );
    expect(canonicalSelector({})).toBe(canonicalSelector({ matchLabels: {}, matchExpressions: [] }));
  });
  it.each([
    ['In', expression('a', 'In', '1', '2'), [true, false, false]],
    ['NotIn', expression('a', 'NotIn', '1', '2'), [false, true, true]],
    ['Exists', expression('a', 'Exists'), [true, true, false]],
    ['DoesNotExist', expression('a', 'DoesNotExist'), [false, false, true]],
    ['everything', canonicalSelector({}), [true, true, true]],
    ['the name of an object’s own method', expression('toString', 'DoesNotExist'), [true, true, true]],
  ])('%s', (_, selector, expected) => {
    const matches = compileSelector(selector);
    const labels: Record<string, string>[] = [{ a: '1' }, { a: '3' }, {}];
    expect(labels.map((l) => matches(l))).toEqual(expected);
  });
  it('explain themselves', () => {
    const selector = canonicalSelector({
      matchLabels: { app: 'web' },
      matchExpressions: [{ key: 'x', operator: 'Exists' }],
    });
    expect(describeSelector(selector)).toBe('app=web, x Exists');
    expect(unmetRequirement(selector, { app: 'web' })).toBe('x Exists');
    expect(unmetRequirement(selector, { app: 'web', x: '' })).toBeUndefined();
    expect(requiredLabel(selector)).toEqual({ key: 'app', values: ['web'] });
    expect(requiredLabel(canonicalSelector({}))).toBeUndefined();
  });
});

describe('identities', () => {
  const pod = (labels: Record<string, string>, more: Partial<PodFact> = {}): PodFact => ({
    namespace: 'x',
    name: 'p',
    labels,
    serviceAccount: 'default',
    hostNetwork: false,
    namedPorts: [],
    ...more,
  });
  const ns = namespaceKeyOf('x', { team: 'a' });
  const key = (p: PodFact, ...counted: string[]) => identityKeyOf(p, ns, new Set(counted));

  it('are shared by pods that policies cannot tell apart', () => {
    expect(key(pod({ a: '1', b: '2' }))).toBe(key(pod({ b: '2', a: '1' }, { name: 'other' })));
    expect(key(pod({ a: '1', 'pod-template-hash': 'x' }))).toBe(key(pod({ a: '1', 'pod-template-hash': 'y' })));
    expect(isPerReplicaLabel('statefulset.kubernetes.io/pod-name')).toBe(true);
  });
  it('differ by everything that policies can see', () => {
    const base = key(pod({ a: '1' }));
    const others = [
      key(pod({ a: '2' })),
      key(pod({ a: '1' }, { serviceAccount: 'robot' })),
      key(pod({ a: '1' }, { namedPorts: [{ name: 'http', protocol: 'TCP', port: 80 }] })),
      identityKeyOf(pod({ a: '1' }), namespaceKeyOf('x', { team: 'b' }), new Set()),
      identityKeyOf(pod({ a: '1' }), namespaceKeyOf('y', { team: 'a' }), new Set()),
    ];
    expect(new Set([base, ...others]).size).toBe(6);
    expect(key(pod({ 'pod-template-hash': 'x' }), 'pod-template-hash')).not.toBe(
      key(pod({ 'pod-template-hash': 'y' }), 'pod-template-hash'),
    );
  });
  it('say from their key what they are', () => {
    const table = new IdentityTable({ number: () => 300 });
    const info = table.get(key(pod({ a: '1' }, { namedPorts: [{ name: 'http', protocol: 'TCP', port: 80 }] })));
    expect(info).toMatchObject({
      number: 300,
      namespace: 'x',
      namespaceLabels: { team: 'a', 'kubernetes.io/metadata.name': 'x' },
      podLabels: { a: '1' },
      namedPorts: [{ name: 'http', protocol: 'TCP', port: 80 }],
    });
    expect(info.namespaceKey).toBe(ns);
    expect(() => new IdentityTable({ number: () => 3 }).get(key(pod({})))).toThrow('identity 3 is reserved');
  });
});
