import { Initial1763700000000 } from './1763700000000-initial.js';
import { DomainAddresses1763730000000 } from './1763730000000-domain-addresses.js';
import { PolicyCounters1763740000000 } from './1763740000000-policy-counters.js';

/** Every migration, oldest first. */
export const migrations = [Initial1763700000000, DomainAddresses1763730000000, PolicyCounters1763740000000];
