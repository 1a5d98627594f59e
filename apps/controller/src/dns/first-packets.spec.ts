import { cookie, ip, nodeName, TABLE_ID } from '@heddle/compiler';
import { beforeEach, describe, expect, it } from 'vitest';
import { deferred } from '../deferred.js';
import { udpFrame } from '../testing/dns-messages.js';
import { FakeSwitches } from '../testing/fake-switches.js';
import { ManualClock } from '../testing/manual-clock.js';
import { FirstPackets } from './first-packets.js';

const NODE = nodeName('node1');
const ADDRESS = ip('192.0.2.80');

let switches: FakeSwitches;
let clock: ManualClock;
let packets: FirstPackets;
let realized: ReturnType<typeof deferred<boolean>>;
let asked: unknown[];

beforeEach(() => {
  switches = new FakeSwitches();
  clock = new ManualClock();
  realized = deferred<boolean>();
  asked = [];
  packets = new FirstPackets({
    clock,
    switches,
    realized: (...question) => {
      asked.push(question);
      return realized.promise;
    },
  });
});

/** A packet of a pod that was denied; what is above IP does not matter here. */
const denied = (destination: string, sourcePort: number, more: object = {}) => {
  const ends = { source: '10.244.0.2', destination, sourcePort, destinationPort: 443 };
  const data = udpFrame({ ...ends, payload: new Uint8Array(4) });
  switches.packetIn({
    node: NODE,
    tableId: TABLE_ID.Denied,
    cookie: cookie('dns', 7),
    reason: 'action',
    fields: { in_port: 256 },
    totalLength: data.length,
    data,
    ...more,
  });
  return data;
};
const turn = () => new Promise((done) => setImmediate(done));
const learn = (generation: number | undefined = 5) => packets.learned(ADDRESS, Promise.resolve(generation));

describe('a packet that was denied too early', () => {
  it('is sent again when its switch has the addresses of the answer, and not before', async () => {
    learn();
    const data = denied(ADDRESS, 1000);
    await turn();
    expect(asked).toEqual([[NODE, 5, expect.any(Number)]]);
    expect(switches.packetsOut).toEqual([]);
    realized.resolve(true);
    await turn();
    expect(switches.packetsOut).toEqual([{ node: NODE, inPort: 256, data }]);
    expect(packets.total).toBe(1);
  });

  it('is sent again too where the log of a policy tells of it', async () => {
    learn();
    realized.resolve(true);
    denied(ADDRESS, 1000, { cookie: cookie('policyLog', 7) });
    await turn();
    expect(switches.packetsOut).toHaveLength(1);
  });

  it('is sent again some times, later each time; then its denial is meant', async () => {
    learn();
    realized.resolve(true);
    const times: number[] = [];
    for (let n = 1; n <= 10; n++) {
      denied(ADDRESS, 1000);
      await turn();
      for (let ms = 0; ms < 170 && switches.packetsOut.length < n; ms++) clock.advance(1);
      if (switches.packetsOut.length === n) times.push(clock.now());
    }
    expect(times).toEqual([0, 5, 15, 35, 75, 155, 315]);
  });

  it('is left alone while its switch does not get the addresses', async () => {
    learn();
    denied(ADDRESS, 1000);
    realized.resolve(false);
    await turn();
    expect(switches.packetsOut).toEqual([]);
  });

  it('is left alone when the change fails', async () => {
    packets.learned(ADDRESS, Promise.resolve(undefined));
    denied(ADDRESS, 1000);
    await turn();
    expect(asked).toEqual([]);
    expect(switches.packetsOut).toEqual([]);
  });
});

describe('a switch may tell of the packet before it tells of the answer', () => {
  it('and the packet is sent again all the same', async () => {
    realized.resolve(true);
    const data = denied(ADDRESS, 1000);
    denied('192.0.2.81', 1000);
    clock.advance(200);
    learn();
    await turn();
    expect(switches.packetsOut).toEqual([{ node: NODE, inPort: 256, data }]);
  });

  it('but not long before, and not while many others came in between', async () => {
    realized.resolve(true);
    denied(ADDRESS, 1000);
    clock.advance(201);
    denied(ADDRESS, 1001);
    for (let port = 1; port <= 64; port++) denied('192.0.2.81', port);
    learn();
    await turn();
    expect(switches.packetsOut).toEqual([]);
  });
});

describe('any other packet is left alone', () => {
  it.each<[name: string, send: () => void]>([
    ['to another address', () => denied('192.0.2.81', 1000)],
    ['that somebody else’s flow tells of', () => denied(ADDRESS, 1000, { cookie: 7n })],
    ['of another table', () => denied(ADDRESS, 1000, { tableId: TABLE_ID.IngressAdmin })],
    ['that is garbage', () => denied(ADDRESS, 1000, { data: Uint8Array.from([1, 2, 3]) })],
    ['without a port', () => denied(ADDRESS, 1000, { fields: {} })],
    [
      'when the answer is older',
      () => {
        clock.advance(2_000);
        denied(ADDRESS, 1000);
      },
    ],
  ])('%s', async (_, send) => {
    learn();
    realized.resolve(true);
    send();
    await turn();
    expect(switches.packetsOut).toEqual([]);
  });
});

it('an answer that comes again makes its address fresh again', async () => {
  realized.resolve(true);
  learn();
  denied(ADDRESS, 1000);
  clock.advance(1_500);
  learn(6);
  clock.advance(1_500);
  denied(ADDRESS, 1001);
  clock.advance(500);
  denied(ADDRESS, 1002);
  await turn();
  expect(switches.packetsOut).toHaveLength(2);
});

it('packets of a while ago take no place from those of now, even while answers keep coming', async () => {
  realized.resolve(true);
  for (let second = 1; second <= 3; second++) {
    learn(second);
    for (let port = 0; port < 2_000; port++) denied(ADDRESS, 10_000 * second + port);
    clock.advance(1_000);
    learn(second);
  }
  await turn();
  expect(switches.packetsOut).toHaveLength(6_000);
});
