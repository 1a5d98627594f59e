import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Members } from './members.js';

describe('members of an index', () => {
  it('are there as often as they were put in, however many there are', () => {
    // More names than a short list holds.
    const step = fc.record({ add: fc.boolean(), member: fc.nat(12).map(String) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const members = new Members();
        const times = new Map<string, number>();
        for (const { add, member } of steps) {
          const before = times.get(member) ?? 0;
          if (add) {
            expect(members.add(member)).toBe(before === 0);
            times.set(member, before + 1);
          } else {
            expect(members.remove(member)).toBe(before === 1);
            if (before > 1) times.set(member, before - 1);
            else times.delete(member);
          }
          expect([...members].sort()).toEqual([...times.keys()].sort());
          expect([...members.list()].sort()).toEqual([...times.keys()].sort());
          expect(members.size).toBe(times.size);
        }
      }),
    );
  });
});
