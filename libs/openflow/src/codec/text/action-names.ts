// What Open vSwitch calls the actions of a bitmap by their numbers in the standard (1.2 and later), in the order in which it lists them.
const NAMES: readonly (readonly [number: number, name: string])[] = [
  [0, 'output'],
  [22, 'group'],
  [25, 'set_field'],
  [18, 'strip_vlan'],
  [17, 'push_vlan'],
  [23, 'mod_nw_ttl'],
  [24, 'dec_ttl'],
  [15, 'set_mpls_ttl'],
  [16, 'dec_mpls_ttl'],
  [19, 'push_mpls'],
  [20, 'pop_mpls'],
  [21, 'set_queue'],
];

/** Names of the actions whose bits are set; those that it does not know are left out. */
export const actionNames = (bits: number): string => {
  const names = NAMES.filter(([n]) => (bits >>> n) & 1).map(([, name]) => name);
  return names.length > 0 ? names.join(' ') : '<none>';
};
