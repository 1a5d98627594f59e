import { cidr, ip } from '@heddle/compiler';
import { describe, expect, it } from 'vitest';
import type { SourceClusterPolicy } from '../source/model.js';
import { DomainBook } from './domain-book.js';
import { WantedNames } from './wanted-names.js';

const a = (n: number) => ip(`192.0.2.${n}`);

describe('the book of names', () => {
  it('keeps an address until its latest end', () => {
    const book = new DomainBook();
    expect(book.take({ name: 'a.b', address: a(1), expires: 100 }).changed).toBe(true);
    expect(book.take({ name: 'a.b', address: a(2), expires: 50 }).changed).toBe(true);
    expect(book.take({ name: 'a.b', address: a(1), expires: 90 }).changed).toBe(false);
    expect(book.take({ name: 'a.b', address: a(2), expires: 200 }).changed).toBe(false);
    expect(book.nextEnd()).toBe(100);
    expect(book.expire(99)).toEqual([]);
    expect(book.expire(100)).toEqual(['a.b']);
    expect(book.addressesOf('a.b')).toEqual([a(2)]);
    expect(book.expire(200)).toEqual(['a.b']);
    expect(book.nextEnd()).toBeUndefined();
    expect(book.size).toBe(0);
  });

  it('lets the address that ends first make room in a full name', () => {
    const book = new DomainBook({ perName: 2, total: 100 });
    for (const [n, expires] of [
      [1, 30],
      [2, 20],
      [3, 40],
    ] as const)
      book.take({ name: 'a.b', address: a(n), expires });
    expect(book.addressesOf('a.b')).toEqual([a(1), a(3)]);
  });

  it('takes no new address when it is full, but later ends of those that it has', () => {
    const book = new DomainBook({ perName: 10, total: 2 });
    book.take({ name: 'a.b', address: a(1), expires: 10 });
    book.take({ name: 'c.d', address: a(1), expires: 10 });
    expect(book.take({ name: 'e.f', address: a(1), expires: 10 })).toEqual({ changed: false, refused: 1 });
    book.take({ name: 'a.b', address: a(1), expires: 20 });
    expect(book.expire(15)).toEqual(['c.d']);
    expect(book.allNames()).toEqual(['a.b']);
  });

  it('forgets names that nobody wants', () => {
    const book = new DomainBook();
    for (const name of ['a.b', 'c.d']) book.take({ name, address: a(1), expires: 10 });
    expect(book.retain((name) => name === 'c.d')).toEqual(['a.b']);
    expect(book.size).toBe(1);
  });
});

describe('wanted names', () => {
  const policy = (name: string, ...names: readonly string[]): SourceClusterPolicy => ({
    name,
    tier: 'Admin',
    priority: 1,
    subject: { namespaceSelector: {}, podSelector: {} },
    ingress: [],
    egress: [
      { name: '', action: 'Accept', peers: [{ kind: 'domains', names }], ports: [] },
      { name: '', action: 'Deny', peers: [{ kind: 'networks', cidrs: [cidr('0.0.0.0/0')] }], ports: [] },
    ],
  });
  const wanted = (...names: readonly string[]) => {
    const w = new WantedNames();
    w.take(new Map([['p', policy('p', ...names)]]));
    return w;
  };

  it.each<[asked: string, name: string, yes: boolean]>([
    ['example.com', 'example.com', true],
    ['example.com', 'www.example.com', false],
    ['example.com', 'myexample.com', false],
    ['*.example.com', 'www.example.com', true],
    ['*.example.com', 'a.b.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'myexample.com', false],
    ['*.example.com', 'com', false],
  ])('%s asks for %s: %s', (asked, name, yes) => {
    expect(wanted(asked).has(name)).toBe(yes);
  });

  it('are wanted as long as one policy asks', () => {
    const w = wanted('a.b', 'c.d');
    let told = 0;
    w.onFewer(() => told++);
    w.take(new Map([['q', policy('q', 'a.b', 'a.b')]]));
    w.take(new Map([['p', undefined]]));
    expect([w.has('a.b'), w.has('c.d'), told]).toEqual([true, false, 1]);
    w.take(new Map([['q', policy('q', 'a.b')]]));
    expect([w.has('a.b'), told]).toEqual([true, 1]);
    w.take(new Map([['q', undefined]]));
    expect([w.has('a.b'), told]).toEqual([false, 2]);
  });
});
