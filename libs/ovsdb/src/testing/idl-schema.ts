const scalar = (type: string) => ({ type });
const set = (key: string | object, max: number | 'unlimited' = 'unlimited') => ({ type: { key, min: 0, max } });
const ref = (refTable: string, refType: 'strong' | 'weak' = 'strong') => ({ type: 'uuid', refTable, refType });
const map = (key: string, value: string) => ({ type: { key, value, min: 0, max: 'unlimited' } });
const root = (columns: object, more: object = {}) => ({ isRoot: true, columns, ...more });

/** The tables that the IDL cases of the Open vSwitch tests use, as their expected output shows them. */
export const IDL_SCHEMA = {
  name: 'idltest',
  version: '1.2.3',
  tables: {
    simple: root({
      ...{ i: scalar('integer'), r: scalar('real'), b: scalar('boolean'), s: scalar('string'), u: scalar('uuid') },
      ...{ ia: set('integer'), ra: set('real'), ba: set('boolean', 2), sa: set('string'), ua: set('uuid') },
    }),
    simple2: root({ name: scalar('string'), smap: map('string', 'string'), imap: map('integer', 'string') }),
    simple3: root({ name: scalar('string'), uset: set('uuid'), uref: set(ref('simple4')) }),
    simple4: { isRoot: false, columns: { name: scalar('string') } },
    simple6: root({ name: scalar('string'), weak_ref: set(ref('simple', 'weak')) }),
    link1: root({
      ...{ i: scalar('integer'), k: { type: { key: ref('link1') } }, ka: set(ref('link1')), l2: set(ref('link2'), 1) },
    }),
    link2: root({ i: scalar('integer'), l1: set(ref('link1'), 1) }),
    indexed: root({ i: scalar('integer') }, { indexes: [['i']] }),
  },
};
