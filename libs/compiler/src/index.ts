export * from './compiler.js';
export * from './evaluate/index.js';
export * from './explain/index.js';
export { BAND_SLOTS, CROWDED } from './features/policy-order.js';
export { POLICY_PRIORITY } from './features/rule-flows.js';
export * from './model/brands.js';
export * from './model/facts.js';
export * from './model/output.js';
export * from './pipeline/constants.js';
export * from './pipeline/contract.js';
export * from './pipeline/cookie.js';
export { flowKey, isClause } from './pipeline/flow.js';
export * from './pipeline/meters.js';
export * from './pipeline/registers.js';
export * from './pipeline/tables.js';
export { type IdentityInfo, isPerReplicaLabel, NAMESPACE_NAME_LABEL } from './policy/identity.js';
export { coversPort, type PortMatch, type RulePorts, resolveNames } from './policy/ports.js';
export { contains, subtract } from './policy/prefixes.js';
export { compileSelector, describeSelector, unmetRequirement } from './policy/selector.js';
export {
  clusterPolicyKey,
  clusterPolicyName,
  type Direction,
  type PeerShape,
  type PolicyShape,
  type RuleAction,
  type RuleShape,
  ruleObject,
  type Tier,
} from './policy/shape.js';
