import { beforeEach, expect, it } from 'vitest';
import type { NodeRecord } from '../persistence/records.js';
import { SwitchOrigins } from './switch-origins.js';

const RECORDS: Readonly<Record<string, Partial<NodeRecord>>> = {
  a: { encapIp: '192.0.2.1', addresses: ['192.0.2.1', '2001:db8::1'], gatewayIps: ['10.244.0.1'] },
  // Root on b announces an address of a as one of its own.
  b: { encapIp: '192.0.2.2', addresses: ['192.0.2.2', '192.0.2.1'], gatewayIps: ['10.244.0.65'] },
};

let origins: SwitchOrigins;
let first: string[];
beforeEach(() => {
  first = [];
  origins = new SwitchOrigins({ get: (name) => RECORDS[name] as NodeRecord | undefined });
  origins.onFirstSeen((node) => first.push(node));
});

it.each<[node: string, remote: string, permitted: boolean]>([
  ['a', 'ssl:192.0.2.1:40000', true],
  ['a', 'ssl:[2001:DB8:0::1]:40000', true],
  ['a', 'ssl:10.244.0.1:40000', true],
  ['a', 'tcp:[::ffff:192.0.2.1]:40000', true],
  // Where its agent was seen, whatever it announced.
  ['a', 'ssl:198.51.100.7:40000', true],
  ['a', 'ssl:192.0.2.2:40000', false],
  ['a', 'ssl:10.244.0.65:40000', false],
  ['a', 'ssl:203.0.113.9:40000', false],
  ['a', 'ssl:[2001:db8::2]:40000', false],
  ['b', 'ssl:192.0.2.2:40000', true],
  ['b', 'ssl:198.51.100.7:40000', false],
  // The controller's own machine.
  ['a', 'ssl:127.0.0.1:40000', true],
  ['a', 'ssl:[::1]:40000', true],
  ['a', 'unix:/run/x#1', true],
])('the switch of %s from %s: %s', (node, remote, permitted) => {
  origins.agentSpoke('a', '::ffff:198.51.100.7');
  origins.agentSpoke('b', '192.0.2.2');
  expect(origins.permits(node, remote)).toBe(permitted);
});

it('may come from anywhere until the agent of its node was seen', () => {
  expect(origins.permits('a', 'ssl:203.0.113.9:1')).toBe(true);
  origins.agentSpoke('a', '192.0.2.1');
  expect(first).toEqual(['a']);
  expect(origins.permits('a', 'ssl:203.0.113.9:1')).toBe(false);
  origins.agentSpoke('a', '198.51.100.7');
  expect(first).toEqual(['a']);
});

it('forgets a node that is gone', () => {
  origins.agentSpoke('a', '198.51.100.7');
  origins.forget('a');
  origins.agentSpoke('a', '192.0.2.1');
  expect([origins.permits('a', 'ssl:198.51.100.7:1'), first]).toEqual([false, ['a', 'a']]);
});

it('remembers the addresses that the agent was seen at last', () => {
  for (let i = 1; i <= 40; i++) origins.agentSpoke('a', `198.51.100.${i}`);
  const permitted = [1, 24, 25, 40].map((i) => origins.permits('a', `ssl:198.51.100.${i}:1`));
  expect(permitted).toEqual([false, false, true, true]);
});
