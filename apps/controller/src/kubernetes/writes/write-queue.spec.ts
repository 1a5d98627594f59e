import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../testing/manual-clock.js';
import { KubeRefusal } from '../kube-client.js';
import { WriteQueue } from './write-queue.js';

const turn = () => new Promise((done) => setImmediate(done));
/** Lets time pass in small steps, with what falls due at work in between. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let i = 0; i < ms; i += 100) {
    clock.advance(100);
    for (let j = 0; j < 4; j++) await turn();
  }
}
function newQueue(options: { perSecond?: number; burst?: number } = {}) {
  const clock = new ManualClock();
  const errors: string[] = [];
  const queue = new WriteQueue({
    clock,
    random: () => 0,
    perSecond: 5,
    burst: 10,
    onError: (key) => errors.push(key),
    ...options,
  });
  return { clock, queue, errors };
}

describe('the queue of writes', () => {
  it('lets a burst through, then as many a second as it is told', async () => {
    const { clock, queue } = newQueue();
    const written: number[] = [];
    for (let i = 0; i < 100; i++) queue.put(`k${i}`, async () => void written.push(i));
    await pass(clock, 0);
    for (let j = 0; j < 30; j++) await turn();
    expect(written.length).toBe(10);
    await pass(clock, 2_000);
    expect(written.length).toBe(20);
    expect(written).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it('writes the last of what is put for one key, once', async () => {
    const { clock, queue } = newQueue({ burst: 1 });
    const written: string[] = [];
    for (const key of ['a', 'b'])
      for (let i = 0; i < 50; i++) queue.put(key, async () => void written.push(`${key}${i}`));
    await pass(clock, 1_000);
    expect(written).toEqual(['a49', 'b49']);
  });

  it('counts only what is written', async () => {
    const { clock, queue } = newQueue({ burst: 1 });
    let looked = 0;
    for (let i = 0; i < 500; i++)
      queue.put(`k${i}`, () => {
        looked++;
        return undefined;
      });
    await pass(clock, 100);
    expect(looked).toBe(500);
  });

  it('takes what is urgent first', async () => {
    const { clock, queue } = newQueue({ burst: 1 });
    const written: string[] = [];
    for (const key of ['a', 'b', 'c']) queue.put(key, async () => void written.push(key));
    queue.put('now', async () => void written.push('now'), { urgent: true });
    await pass(clock, 2_000);
    expect(written).toEqual(['now', 'a', 'b', 'c']);
  });

  it('tries a refused write again, later each time, and goes on with the others', async () => {
    const { clock, queue, errors } = newQueue();
    const at: number[] = [];
    let others = 0;
    queue.put('refused', async () => {
      at.push(clock.now());
      throw new KubeRefusal(422, 'Invalid', 'no');
    });
    for (let i = 0; i < 9; i++) queue.put(`k${i}`, async () => void others++);
    await pass(clock, 16_000);
    expect(others).toBe(9);
    expect(at.map((t) => Math.round(t / 1_000))).toEqual([0, 1, 3, 7, 15]);
    expect(errors).toEqual(Array(5).fill('refused'));
  });

  it.each([
    ['refused', new KubeRefusal(404, 'NotFound', 'the namespace is gone'), 1],
    ['that could not be made', new Error('connect ECONNREFUSED'), 3],
  ])('asks once for a write that is said to be so: one %s', async (_, error, attempts) => {
    const { clock, queue, errors } = newQueue();
    const attempt = async () => {
      throw error;
    };
    queue.put('event', attempt, { once: true });
    await pass(clock, 5_000);
    expect(errors).toEqual(Array(attempts).fill('event'));
  });

  it('does not try again what was forgotten while it was being written', async () => {
    const { clock, queue, errors } = newQueue();
    queue.put('k', async () => {
      await turn();
      queue.clear();
      throw new KubeRefusal(409, 'Conflict', 'no');
    });
    await pass(clock, 10_000);
    expect(errors).toEqual(['k']);
  });

  it('waits with everything while the server is away', async () => {
    const { clock, queue } = newQueue();
    let attempts = 0;
    for (let i = 0; i < 50; i++)
      queue.put(`k${i}`, async () => {
        attempts++;
        throw new Error('connect ECONNREFUSED');
      });
    await pass(clock, 60_000);
    // 1 + 2 + 4 + ... s between them, not fifty at once.
    expect(attempts).toBeLessThanOrEqual(7);
    expect(attempts).toBeGreaterThanOrEqual(4);
  });
});
