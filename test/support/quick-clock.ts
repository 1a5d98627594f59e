import { type Clock, systemClock } from '../../apps/controller/src/clock.js';

/** Runs so many times faster than the clock on the wall: for what a controller does every few seconds, in specs of the whole of it. */
export const quickClock = (times: number): Clock => ({
  now: () => systemClock.now() * times,
  after: (ms, callback) => systemClock.after(ms / times, callback),
});
