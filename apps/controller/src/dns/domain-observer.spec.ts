import { cookie, nodeName, TABLE_ID } from '@heddle/compiler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FactTable } from '../core/fact-table.js';
import type { PacketInEvent } from '../core/ports.js';
import { Database } from '../persistence/database.js';
import { dnsReply, TCP, type TestReply, tcpFrame, udpFrame } from '../testing/dns-messages.js';
import { ManualClock } from '../testing/manual-clock.js';
import type { DomainLimits } from './domain-book.js';
import { DomainObserver, MARGIN_SECONDS, MIN_TTL_SECONDS, RESTART_GRACE_SECONDS } from './domain-observer.js';
import { DomainRecords } from './domain-records.js';
import { WantedNames } from './wanted-names.js';

const SECOND = 1_000;
const START = 1_800_000_000_000;

let database: Database;
let clock: ManualClock;
let wanted: WantedNames;
const observers: DomainObserver[] = [];

beforeEach(async () => {
  database = await Database.open('sqlite::memory:');
  clock = new ManualClock();
  wanted = new WantedNames();
  want('p', 'example.com', '*.example.org');
});
afterEach(async () => {
  for (const observer of observers.splice(0)) await observer.stop();
  await database.close();
});

function want(policy: string, ...names: readonly string[]): void {
  const rule = { name: '', action: 'Accept', peers: [{ kind: 'domains', names }], ports: [] } as const;
  const subject = { namespaceSelector: {}, podSelector: {} };
  const value = { name: policy, tier: 'Admin', priority: 1, subject, ingress: [], egress: [rule] } as const;
  wanted.take(new Map([[policy, value]]));
}
const unwant = (policy: string) => wanted.take(new Map([[policy, undefined]]));

/** An observer as a controller starts it. */
async function start(limits?: DomainLimits) {
  const facts = new FactTable();
  const own = clock;
  let listener: ((event: PacketInEvent) => void) | undefined;
  const updates: Promise<number>[] = [];
  const failures: unknown[] = [];
  const full: number[] = [];
  const learned: [number | undefined, string][] = [];
  const observer = new DomainObserver({
    clock: own,
    wallNow: () => START + own.now(),
    wanted,
    records: new DomainRecords(database),
    switches: {
      onPacketIn: (l) => {
        listener = l;
      },
    },
    update: (put) => {
      const done = Promise.resolve().then(() => {
        put(facts);
        return 7;
      });
      updates.push(done);
      return done;
    },
    learned: (address, generation) => void generation.then((g) => learned.push([g, address])),
    full: (addresses) => void full.push(addresses),
    failed: (_, error) => void failures.push(error),
    limits,
  });
  observers.push(observer);
  await observer.load(facts);
  observer.start();
  const settled = async () => {
    await new Promise((done) => setImmediate(done));
    await Promise.all(updates.splice(0));
  };
  const frame = (data: Uint8Array, feature: 'dns' | 'policyLog' = 'dns') =>
    listener?.({
      node: nodeName('node1'),
      tableId: TABLE_ID.IngressAdmin,
      cookie: cookie(feature, 7),
      reason: 'action',
      fields: {},
      totalLength: data.length,
      data,
    });
  const answer = (reply: TestReply, sourcePort = 53, feature?: 'dns' | 'policyLog') =>
    frame(
      udpFrame({
        source: '10.96.0.10',
        destination: '10.244.1.2',
        sourcePort,
        destinationPort: 40_000,
        payload: dnsReply(reply),
      }),
      feature,
    );
  return {
    observer,
    facts,
    failures,
    full,
    learned,
    settled,
    frame,
    answer,
    segment: (flags: number, sequence: number, payload: Uint8Array, sourcePort = 53) =>
      frame(
        tcpFrame({
          source: '10.96.0.10',
          destination: '10.244.1.2',
          sourcePort,
          destinationPort: 40_000,
          ...{ flags, sequence, payload },
        }),
      ),
    address: (name: string, ttl: number, data: string) => answer({ question: name, answers: [{ name, ttl, data }] }),
    addresses: async (name: string) => {
      await settled();
      return facts.get('domain', name)?.addresses ?? [];
    },
  };
}

const LEAST = (MIN_TTL_SECONDS + MARGIN_SECONDS) * SECOND;

describe('an answer', () => {
  it('is a fact, which comes as one change', async () => {
    const { address, addresses, facts } = await start();
    address('example.com', 60, '192.0.2.2');
    address('example.com', 60, '192.0.2.1');
    expect(await addresses('example.com')).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(facts.changes()).toEqual([
      { kind: 'domain', key: 'example.com', value: { name: 'example.com', addresses: ['192.0.2.1', '192.0.2.2'] } },
    ]);
  });

  it('that is new is told with the generation that will have it, and told once', async () => {
    const { address, settled, learned } = await start();
    address('example.com', 60, '192.0.2.1');
    await settled();
    address('example.com', 90, '192.0.2.1');
    await settled();
    address('example.com', 60, '192.0.2.2');
    await settled();
    expect(learned).toEqual([
      [7, '192.0.2.1'],
      [7, '192.0.2.2'],
    ]);
  });

  it('is a fact of each name on the way that is asked for, and of no other', async () => {
    const { answer, addresses, facts } = await start();
    answer({
      question: 'www.example.org',
      answers: [
        { name: 'www.example.org', ttl: 60, data: 'example.com' },
        { name: 'example.com', ttl: 60, data: 'cdn.example.net' },
        { name: 'cdn.example.net', ttl: 60, data: '192.0.2.1' },
      ],
    });
    expect(await addresses('www.example.org')).toEqual(['192.0.2.1']);
    expect(await addresses('example.com')).toEqual(['192.0.2.1']);
    expect([...facts.keys('domain')].sort()).toEqual(['example.com', 'www.example.org']);
  });

  it.each<[name: string, give: (s: Awaited<ReturnType<typeof start>>) => void]>([
    ['about a name that nobody asks for', (s) => s.address('example.net', 60, '192.0.2.1')],
    [
      'from another port',
      (s) =>
        s.answer({ question: 'example.com', answers: [{ name: 'example.com', ttl: 60, data: '192.0.2.1' }] }, 5353),
    ],
    [
      'that another flow tells of',
      (s) =>
        s.answer(
          { question: 'example.com', answers: [{ name: 'example.com', ttl: 60, data: '192.0.2.1' }] },
          53,
          'policyLog',
        ),
    ],
    ['that is garbage', (s) => s.frame(Uint8Array.from({ length: 60 }, (_, i) => i))],
  ])('%s is no fact', async (_, give) => {
    const s = await start();
    give(s);
    await s.settled();
    expect(s.facts.count('domain')).toBe(0);
  });

  it('counts for its TTL and a margin, and for a while however short the TTL is', async () => {
    const { address, addresses } = await start();
    address('example.com', 300, '192.0.2.1');
    address('example.com', 0, '192.0.2.2');
    await addresses('example.com');
    clock.advance(LEAST - 1);
    expect(await addresses('example.com')).toHaveLength(2);
    clock.advance(1);
    expect(await addresses('example.com')).toEqual(['192.0.2.1']);
    clock.advance((300 + MARGIN_SECONDS) * SECOND - LEAST);
    expect(await addresses('example.com')).toEqual([]);
  });

  it('that comes again counts anew', async () => {
    const { address, addresses } = await start();
    address('example.com', 30, '192.0.2.1');
    clock.advance(LEAST - 1);
    address('example.com', 30, '192.0.2.1');
    clock.advance(LEAST - 1);
    expect(await addresses('example.com')).toEqual(['192.0.2.1']);
    clock.advance(1);
    expect(await addresses('example.com')).toEqual([]);
  });
});

it('a name that no policy asks for any more is forgotten, and so are its rows', async () => {
  const { address, addresses, observer } = await start();
  want('q', 'a.example.org');
  address('example.com', 60, '192.0.2.1');
  address('a.example.org', 60, '192.0.2.1');
  await observer.flush();
  unwant('p');
  expect(await addresses('example.com')).toEqual([]);
  expect(await addresses('a.example.org')).toEqual(['192.0.2.1']);
  await observer.flush();
  expect((await new DomainRecords(database).load()).map((r) => r.name)).toEqual(['a.example.org']);
});

describe('a restart', () => {
  it('takes no address away: what is recorded stands before anything is compiled, and for a grace period', async () => {
    const first = await start();
    first.address('example.com', 30, '192.0.2.1');
    await first.observer.flush();
    // The process ends without a word, and is away for an hour: its timers fire no more.
    clock = new ManualClock(clock.now() + 3_600 * SECOND);
    const second = await start();
    expect(second.facts.get('domain', 'example.com')?.addresses).toEqual(['192.0.2.1']);
    clock.advance(RESTART_GRACE_SECONDS * SECOND - 1);
    expect(await second.addresses('example.com')).toEqual(['192.0.2.1']);
    clock.advance(1);
    expect(await second.addresses('example.com')).toEqual([]);
  });

  it('keeps what has not ended until it ends', async () => {
    const first = await start();
    first.address('example.com', 3_600, '192.0.2.1');
    await first.observer.stop();
    clock.advance(60 * SECOND);
    const second = await start();
    clock.advance((3_600 + MARGIN_SECONDS - 60) * SECOND - 1);
    expect(await second.addresses('example.com')).toEqual(['192.0.2.1']);
    clock.advance(1);
    expect(await second.addresses('example.com')).toEqual([]);
  });

  it('forgets names that no policy asks for by then', async () => {
    const first = await start();
    first.address('example.com', 60, '192.0.2.1');
    await first.observer.stop();
    unwant('p');
    const second = await start();
    expect(await second.addresses('example.com')).toEqual([]);
  });
});

it('what a switch may be told of is recorded first', async () => {
  const { address, observer, settled } = await start();
  address('example.com', 60, '192.0.2.1');
  await settled();
  await observer.flush();
  expect(await new DomainRecords(database).load()).toEqual([
    { name: 'example.com', address: '192.0.2.1', expires: START + (60 + MARGIN_SECONDS) * SECOND },
  ]);
});

it('a database that fails is told, and tried again', async () => {
  const { address, observer } = await start();
  const transaction = database.transaction.bind(database);
  database.transaction = () => Promise.reject(new Error('disk full'));
  address('example.com', 60, '192.0.2.1');
  await expect(observer.flush()).rejects.toThrow('disk full');
  database.transaction = transaction;
  await observer.flush();
  expect(await new DomainRecords(database).load()).toHaveLength(1);
});

it('tells once when it is full', async () => {
  const { address, full } = await start({ perName: 10, total: 1 });
  for (const n of [1, 2, 3]) address('example.com', 60, `192.0.2.${n}`);
  expect(full).toEqual([1]);
});

describe('an answer over TCP', () => {
  const nothing = new Uint8Array();
  const framed = (name: string, address: string) => {
    const message = dnsReply({ question: name, answers: [{ name, ttl: 60, data: address }] });
    return Uint8Array.from([message.length >> 8, message.length & 0xff, ...message]);
  };

  it('counts as one over UDP, in whatever segments it comes', async () => {
    const { segment, addresses } = await start();
    const [first, second] = [framed('example.com', '192.0.2.1'), framed('a.example.org', '192.0.2.2')];
    segment(TCP.syn | TCP.ack, 999, nothing);
    segment(TCP.ack, 1_000, first.subarray(0, 30));
    expect(await addresses('example.com')).toEqual([]);
    segment(TCP.ack | TCP.psh, 1_030, Uint8Array.from([...first.subarray(30), ...second]));
    expect(await addresses('example.com')).toEqual(['192.0.2.1']);
    expect(await addresses('a.example.org')).toEqual(['192.0.2.2']);
  });

  it.each<[name: string, give: (s: Awaited<ReturnType<typeof start>>) => void, unreadable: number]>([
    ['whose connection has not begun', (s) => s.segment(TCP.ack, 1_000, framed('example.com', '192.0.2.1')), 0],
    [
      'from another port',
      (s) => {
        s.segment(TCP.syn | TCP.ack, 999, nothing, 5353);
        s.segment(TCP.ack, 1_000, framed('example.com', '192.0.2.1'), 5353);
      },
      2,
    ],
    [
      'that is garbage',
      (s) => {
        s.segment(TCP.syn | TCP.ack, 999, nothing);
        s.segment(
          TCP.ack,
          1_000,
          Uint8Array.from({ length: 60 }, (_, i) => (i === 1 ? 40 : i)),
        );
      },
      1,
    ],
  ])('%s is no fact', async (_, give, unreadable) => {
    const s = await start();
    give(s);
    await s.settled();
    expect(s.facts.count('domain')).toBe(0);
    expect(s.observer.stats).toMatchObject({ answers: 0, unreadable });
  });

  it('is not read on by an observer that was started within it', async () => {
    const first = await start();
    first.segment(TCP.syn | TCP.ack, 999, nothing);
    await first.observer.stop();
    const second = await start();
    second.segment(TCP.ack, 1_000, framed('example.com', '192.0.2.1'));
    expect(await second.addresses('example.com')).toEqual([]);
    expect(second.observer.stats).toMatchObject({ connections: 0, unreadSegments: 1 });
  });
});

it('counts what it reads', async () => {
  const { address, frame, segment, observer } = await start();
  address('example.com', 60, '192.0.2.1');
  address('example.net', 60, '192.0.2.1');
  frame(new Uint8Array(10));
  segment(TCP.syn | TCP.ack, 1, new Uint8Array());
  const dns = { answers: 2, unreadable: 1, connections: 1, unreadSegments: 0 };
  expect(observer.stats).toEqual({ ...dns, refused: 0, addresses: 1 });
});
