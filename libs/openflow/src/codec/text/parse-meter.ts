import { type MeterBand } from '../messages/structures.js';
import { METER_FLAG, type MeterMod } from '../messages/types.js';
import { METER } from '../ports.js';
import { Piece } from './scan.js';

const METERS: Readonly<Record<string, number>> = {
  slowpath: METER.SLOWPATH,
  controller: METER.CONTROLLER,
  all: METER.ALL,
};
const FLAGS: Readonly<Record<string, number>> = {
  kbps: METER_FLAG.KBPS,
  pktps: METER_FLAG.PKTPS,
  burst: METER_FLAG.BURST,
  stats: METER_FLAG.STATS,
};

function parseBands(p: Piece): MeterBand[] {
  const bands: { -readonly [K in keyof MeterBand]: MeterBand[K] }[] = [];
  for (const part of p.split()) {
    const [key, value] = part.cut('=') ?? part.cut(':') ?? part.fail(`${part.text} has no value`);
    if (key.text === 'type') {
      const type = value.text === 'drop' || value.text === 'dscp_remark' ? value.text : undefined;
      if (type === undefined) return value.fail(`"${value.text}" is no type of bands`);
      bands.push({ type, rate: 0, burstSize: 0, ...(type === 'dscp_remark' && { precLevel: 0 }) });
      continue;
    }
    const band = bands.at(-1) ?? part.fail('a band begins with its type');
    if (key.text === 'rate') band.rate = value.number(32);
    else if (key.text === 'burst_size') band.burstSize = value.number(32);
    else if (key.text === 'prec_level' && band.type === 'dscp_remark') band.precLevel = value.number(8);
    else part.fail(`a ${band.type} band has no "${key.text}"`);
  }
  return bands;
}

/**
 * Reads a meter in the language of `ovs-ofctl add-meter`: `meter=1,kbps,burst,bands=type=drop,rate=1000,burst_size=100`.
 * @throws OpenFlowTextError
 */
export function parseMeter(text: string, options: { readonly command?: MeterMod['command'] } = {}): MeterMod {
  const { command = 'add' } = options;
  const whole = new Piece(text);
  const m = /(^|[\s,])bands=/.exec(text);
  let flags = 0;
  let meterId: number | undefined;
  for (const part of (m === null ? whole : whole.slice(0, m.index)).split()) {
    const flag = FLAGS[part.text];
    const [key, value] = part.cut('=') ?? [part, undefined];
    if (flag !== undefined) flags |= flag;
    else if (key.text === 'meter' && value !== undefined) meterId = METERS[value.text] ?? value.number(32);
    else part.fail(`a meter has no "${part.text}"`);
  }
  if (meterId === undefined) return whole.fail('a meter needs meter=NUMBER');
  const bands = m === null ? [] : parseBands(whole.slice(m.index + m[0].length));
  if (command !== 'delete' && bands.length === 0) whole.fail('a meter needs bands');
  return { kind: 'meter_mod', command, flags, meterId, bands };
}
