import type { MeterConfig } from '../messages/multipart-types.js';
import { METER_FLAG } from '../messages/types.js';
import { METER } from '../ports.js';

const FLAGS: readonly (readonly [flag: number, name: string])[] = [
  [METER_FLAG.KBPS, 'kbps'],
  [METER_FLAG.PKTPS, 'pktps'],
  [METER_FLAG.BURST, 'burst'],
  [METER_FLAG.STATS, 'stats'],
];
const NAMES: ReadonlyMap<number, string> = new Map([
  [METER.SLOWPATH, 'slowpath'],
  [METER.CONTROLLER, 'controller'],
  [METER.ALL, 'all'],
]);

/** A meter in the language of `ovs-ofctl add-meter`: `meter=5,kbps,burst,bands=type=drop,rate=1000,burst_size=10`. */
export function formatMeter(meter: MeterConfig): string {
  const parts = [`meter=${NAMES.get(meter.meterId) ?? meter.meterId}`];
  for (const [flag, name] of FLAGS) if (meter.flags & flag) parts.push(name);
  const bands = meter.bands.flatMap((band) => [
    `type=${band.type}`,
    `rate=${band.rate}`,
    ...(meter.flags & METER_FLAG.BURST ? [`burst_size=${band.burstSize}`] : []),
    ...(band.precLevel === undefined ? [] : [`prec_level=${band.precLevel}`]),
  ]);
  if (bands.length > 0) parts.push(`bands=${bands.join()}`);
  return parts.join();
}
