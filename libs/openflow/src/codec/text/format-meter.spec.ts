import { expect, it } from 'vitest';
import { formatMeter, parseMeter } from '../index.js';

it.each([
  ['a limit in kbit/s with bursts', 'meter=5,kbps,burst,stats,bands=type=drop,rate=1000,burst_size=10'],
  ['two bands', 'meter=6,pktps,bands=type=drop,rate=10,type=dscp_remark,rate=5,prec_level=1'],
  ['the meter of packets to controllers', 'meter=controller,pktps,bands=type=drop,rate=100'],
])('writes %s as it was read', (_, text) => {
  expect(formatMeter(parseMeter(text))).toBe(text);
});
