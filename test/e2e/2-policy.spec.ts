import { expect, it } from 'vitest';
import { TRUTH_TABLE } from '../policy/truth-table.js';
import { TestLab } from '../support/lab.js';
import { policySuite } from './suites/policy.js';

policySuite({ lab: new TestLab(), cases: TRUTH_TABLE });

it('the table has at least 40 cases', () => {
  expect(TRUTH_TABLE.length).toBeGreaterThanOrEqual(40);
});
