export { Initial1763700000000 } from './1763700000000-initial.js';
export { DomainAddresses1763730000000 } from './1763730000000-domain-addresses.js';
export { PolicyCounters1763740000000 } from './1763740000000-policy-counters.js';
export { migrations } from './list.js';
