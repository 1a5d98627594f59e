import { cookie, type Feature, POLICY_PRIORITY, TABLE_ID, type TableName } from '@heddle/compiler';
import { expect, it } from 'vitest';
import { isVerdict } from './counts.js';

it.each<[name: string, feature: Feature, table: TableName, priority: number, counts: boolean]>([
  ['a rule of a network policy', 'policy', 'IngressPolicy', POLICY_PRIORITY.allow, true],
  ['a rule of a cluster policy', 'policy', 'EgressAdmin', 12_345, true],
  ['a drop by isolation', 'isolation', 'EgressPolicy', POLICY_PRIORITY.isolation, true],
  ['what isolation leaves alone', 'isolation', 'EgressPolicy', POLICY_PRIORITY.exempt, false],
  ['identities of peers', 'policy', 'DestinationIdentity', 100, false],
  ['what tells of a verdict', 'policyLog', 'Denied', 300, false],
  ['a flow of a pod', 'pod', 'IngressPolicy', 100, false],
])('%s: counted or not', (_, feature, table, priority, counts) => {
  expect(isVerdict({ cookie: cookie(feature, 77), tableId: TABLE_ID[table], priority })).toBe(counts);
});
