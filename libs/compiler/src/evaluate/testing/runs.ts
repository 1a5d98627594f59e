import { type Action, parseIpv4 } from 'openflow-ts/codec';
import type { Flow, Group } from '../../model/output.js';
import { createEvaluator } from '../evaluator.js';
import { l4Packet, type Packet } from '../packet.js';
import { flowSet } from './flows.js';

/** Short forms for specs that send single packets through a few flows of one node. */

export const A = { ethSrc: '02:00:00:00:00:0a', ethDst: '02:00:00:00:00:0b' };
export const tcp = (src: string, dst: string, dstPort = 80, extra = {}): Packet =>
  l4Packet({ ...A, src, dst, protocol: 'tcp', srcPort: 40000, dstPort, ...extra });
export const ip4 = parseIpv4;
export const out = (port: number): Action => ({ kind: 'output', port });
export const set = (field: string, value: number | bigint, mask?: number | bigint): Action =>
  ({ kind: 'set_field', field, value, ...(mask === undefined ? {} : { mask }) }) as Action;
export const sub = (field: string, offset: number, bits: number) => ({ field, offset, bits }) as never;

export function run(
  flows: readonly Flow[],
  packet: Packet,
  options: { port?: number; groups?: readonly Group[]; bucket?: number } = {},
) {
  const nodes = flowSet(flows, options.groups);
  const evaluator = createEvaluator({ nodes: () => nodes, chooseBucket: () => options.bucket ?? 0 });
  return evaluator.send('n1', options.port ?? 1, packet);
}
export const ports = (journey: { deliveries: readonly { ofport: number }[] }) =>
  journey.deliveries.map((d) => d.ofport);
