import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TunnelNeighbours } from './tunnel-neighbours.js';

const peer = (name: string, encapIp: string) => ({ name, encapIp });

describe('tunnel neighbours', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function start() {
    const sent: string[] = [];
    const tell = vi.fn(async () => undefined);
    const neighbours = new TunnelNeighbours({ tell, failed: () => undefined, send: (ip) => sent.push(ip) });
    return { sent, tell, neighbours };
  }

  it('sends to a new peer at once, several times while it may be starting, then every five minutes', () => {
    const { sent, neighbours } = start();
    neighbours.prime([peer('a', '10.0.0.1')]);
    vi.advanceTimersByTime(0);
    expect(sent).toHaveLength(1);
    vi.advanceTimersByTime(16_000);
    expect(sent).toHaveLength(7);
    vi.advanceTimersByTime(3 * 300_000);
    expect(sent).toHaveLength(10);
  });

  it('tells the switch once what the kernel learned of all peers asked at a time', () => {
    const { sent, tell, neighbours } = start();
    neighbours.prime([peer('a', '10.0.0.1'), peer('b', '10.0.0.2')]);
    vi.advanceTimersByTime(10);
    expect([sent.length, tell.mock.calls.length]).toEqual([2, 0]);
    vi.advanceTimersByTime(90);
    expect([sent.length, tell.mock.calls.length]).toEqual([2, 1]);
    vi.advanceTimersByTime(250);
    expect([sent.length, tell.mock.calls.length]).toEqual([4, 2]);
  });

  it('does not begin anew with a peer that it knows', () => {
    const { sent, neighbours } = start();
    neighbours.prime([peer('a', '10.0.0.1')]);
    vi.advanceTimersByTime(20_000);
    neighbours.prime([peer('a', '10.0.0.1'), peer('b', '10.0.0.2')]);
    vi.advanceTimersByTime(1_000);
    expect(sent.filter((ip) => ip === '10.0.0.1')).toHaveLength(7);
    expect(sent.filter((ip) => ip === '10.0.0.2')).toHaveLength(3);
  });

  it('leaves a peer that went alone, and begins anew when it is back', () => {
    const { sent, neighbours } = start();
    neighbours.prime([peer('a', '10.0.0.1')]);
    vi.advanceTimersByTime(20_000);
    neighbours.prime([]);
    vi.advanceTimersByTime(600_000);
    expect(sent).toHaveLength(7);
    neighbours.prime([peer('a', '10.0.0.1')]);
    vi.advanceTimersByTime(0);
    expect(sent).toHaveLength(8);
    neighbours.stop();
    vi.advanceTimersByTime(600_000);
    expect(sent).toHaveLength(8);
  });
});
