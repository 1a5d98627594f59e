import { describe, expect, it } from 'vitest';
import { mayKeepDecisions } from './stale-decisions.js';

describe('releases whose userspace datapath may keep decisions', () => {
  it.each([
    ['2.7.0', false],
    ['2.8.0', true],
    ['2.16.9', true],
    ['2.17.7', true],
    ['2.17.8', false],
    ['2.17.12', false],
    ['3.0.4', true],
    ['3.0.5', false],
    ['3.1.0', true],
    ['3.1.2', true],
    ['3.1.3', false],
    ['3.1.7', false],
    ['3.1.90', true],
    ['3.2.0', false],
    ['3.2.90', true],
    ['3.3.0', false],
    ['3.3.90', false],
    ['4.0.0', false],
    ['ovs-vswitchd (Open vSwitch) 3.1.0', true],
    ['ovs-vswitchd (Open vSwitch) 3.5.1-2~bpo12+1', false],
    ['', false],
  ])('%s: %s', (version, expected) => expect(mayKeepDecisions(version)).toBe(expected));
});
