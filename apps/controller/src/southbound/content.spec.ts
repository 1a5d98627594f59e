import type { Flow, NodeFlowSet } from '@heddle/compiler';
import { expect, it } from 'vitest';
import { Dirty, frozen, frozenPart } from './content.js';

const flow = (key: string, feature: string) =>
  ({ key, provenance: { feature, owners: [], why: '' } }) as unknown as Flow;
const SET: NodeFlowSet = {
  flows: new Map([flow('a', 'pod'), flow('b', 'policyLog')].map((f) => [f.key, f])),
  groups: new Map(),
};
const without = ({ provenance }: Flow) => provenance.feature === 'policyLog';

it('a switch is to have all flows, but those that it cannot have', () => {
  expect([...frozen(SET, undefined).flows.keys()]).toEqual(['a', 'b']);
  expect([...frozen(SET, without).flows.keys()]).toEqual(['a']);
});
it('so it is with those that have changed', () => {
  const dirty = new Dirty();
  dirty.add({ flows: new Set(['a', 'b', 'gone']), groups: new Set() });
  expect([...frozenPart(SET, dirty, undefined).flows.keys()]).toEqual(['a', 'b']);
  expect([...frozenPart(SET, dirty, without).flows.keys()]).toEqual(['a']);
});
